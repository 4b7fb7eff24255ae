import numpy as np
import pytest

from arckit.data.canvas import EOS, FIRST_COLOUR, PAD, Canvas, decode, encode
from arckit.errors import InputError

GRID = np.array([[0, 1, 2], [3, 4, 5]], np.uint8)


def test_decode_equals_the_references_record(golden):
    record = np.load(golden / "decode.npz")
    canvas = Canvas()
    assert len(record["tokens"]) == 300
    for tokens, height, width, grid in zip(
        record["tokens"], record["height"], record["width"], record["grid_255_padded"], strict=True
    ):
        found = decode(tokens, canvas)
        if height == 0 or width == 0:
            assert found is None
        else:
            np.testing.assert_array_equal(found, grid[:height, :width])


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (30, 30), (29, 30), (30, 29), (29, 29), (7, 12)])
def test_decode_undoes_encode_up_to_the_canvas_edges(shape):
    grid = np.random.default_rng(0).integers(10, size=shape, dtype=np.uint8)
    found = decode(encode(grid, Canvas()), Canvas())
    np.testing.assert_array_equal(found, grid)
    assert found is not None
    assert found.dtype == np.uint8


def test_eos_runs_along_the_right_and_bottom_edges_and_the_corner_stays_pad():
    tokens = encode(GRID, Canvas(side=5)).reshape(5, 5)
    colours = GRID + FIRST_COLOUR
    np.testing.assert_array_equal(tokens[:2, :3], colours)
    assert (tokens[2, :3] == EOS).all()
    assert (tokens[:2, 3] == EOS).all()
    assert tokens[2, 3] == PAD
    assert (tokens[3:] == PAD).all()
    assert (tokens[:, 4] == PAD).all()


@pytest.mark.parametrize(("shape", "eos"), [((5, 3), 5), ((3, 5), 5), ((5, 5), 0), ((4, 4), 8)])
def test_there_is_no_eos_beyond_the_canvas(shape, eos):
    tokens = encode(np.zeros(shape, np.uint8), Canvas(side=5))
    assert (tokens == EOS).sum() == eos


@pytest.mark.parametrize(("row", "column"), [(0, 0), (1, 0), (0, 2), (3, 2), (2, 1)])
def test_an_offset_moves_grid_and_eos_together(row, column):
    origin = encode(GRID, Canvas(side=6)).reshape(6, 6)
    moved = encode(GRID, Canvas(side=6), row, column).reshape(6, 6)
    np.testing.assert_array_equal(moved[row:, column:], origin[: 6 - row, : 6 - column])
    assert (moved[:row] == PAD).all()
    assert (moved[:, :column] == PAD).all()


@pytest.mark.parametrize(("row", "column"), [(5, 0), (0, 4), (-1, 0), (0, -1)])
def test_a_grid_that_does_not_fit_there_is_refused(row, column):
    with pytest.raises(InputError, match=r"2×3 at \(-?\d, -?\d\) does not fit on a canvas of 6×6"):
        encode(GRID, Canvas(side=6), row, column)


def test_a_part_of_the_canvas_holds_the_same_cells_at_the_same_positions():
    part, whole = Canvas(height=4, width=7), Canvas()
    assert part.cells == 28
    assert whole.positions().tolist() == list(range(900))
    np.testing.assert_array_equal(encode(GRID, whole)[part.positions()], encode(GRID, part))
    np.testing.assert_array_equal(decode(encode(GRID, part), part), GRID)


@pytest.mark.parametrize("sizes", [{"height": 31}, {"width": 31}, {"height": 0}, {"side": 5, "width": 6}, {"side": 0}])
def test_what_is_no_canvas_is_refused(sizes):
    with pytest.raises(InputError, match="canvas of"):
        Canvas(**sizes)


def test_no_colour_in_the_corner_is_no_answer():
    tokens = encode(GRID, Canvas(side=5))
    tokens[0] = EOS
    assert decode(tokens, Canvas(side=5)) is None
    assert decode(np.zeros(25, np.uint8), Canvas(side=5)) is None


def test_of_equal_rectangles_the_one_of_fewest_rows_is_read():
    tokens = np.zeros((4, 4), np.uint8)
    tokens[0, :4] = FIRST_COLOUR + 1
    tokens[:4, 0] = FIRST_COLOUR + 1
    found = decode(tokens.ravel(), Canvas(side=4))
    assert found is not None
    assert found.shape == (1, 4)


def test_a_token_outside_the_vocabulary_is_no_colour():
    tokens = encode(GRID, Canvas(side=5)).astype(np.int64)
    tokens[1] = 12
    found = decode(tokens, Canvas(side=5))
    assert found is not None
    assert found.shape == (2, 1)
