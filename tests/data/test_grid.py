import numpy as np
import pytest

from arckit.data.grid import as_grid, describe, grid_faults, same, to_json, to_text
from arckit.errors import InputError


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "found null, expected a list of rows"),
        ("12", "found the text '12', expected a list of rows"),
        ([], "found an empty list, expected at least one row"),
        ([1, 2], "row 0: found the number 1, expected a list of numbers"),
        ([[1, 2], [3]], "ragged: rows of 1, 2 cells, expected all the same"),
        ([[], []], "found a row without cells"),
        ([[0]] * 31, "found 31 rows, expected at most 30"),
        ([[0] * 31], "found a row of 31 cells, expected at most 30"),
        ([[1, 10]], r"cell \(0, 1\): found the number 10, expected a whole number 0..9"),
        ([[-1]], r"cell \(0, 0\): found the number -1"),
        ([[1.0]], r"cell \(0, 0\): found the number 1.0"),
        ([[True]], r"cell \(0, 0\): found true"),
        ([["1"]], r"cell \(0, 0\): found the text '1'"),
        ([[None]], r"cell \(0, 0\): found null"),
        ([[[1]]], r"cell \(0, 0\): found a list of 1"),
        (np.full((2, 2), 0.5), r"cell \(0, 0\): found the number 0.5"),
        (np.zeros((2, 2, 2), int), r"cell \(0, 0\): found a list of 2"),
    ],
)
def test_what_is_no_grid_is_refused_with_its_first_fault(value, message):
    with pytest.raises(InputError, match=f"^here: {message}"):
        as_grid(value, "here")


def test_every_fault_is_named():
    faults = list(grid_faults([[1, 11], [3], "x"]))
    assert len(faults) == 3
    assert any("ragged" in fault for fault in faults)
    assert any("cell (0, 1)" in fault for fault in faults)
    assert any("row 2" in fault for fault in faults)


@pytest.mark.parametrize("value", [[[0]], [[9] * 30] * 30, [[1, 2, 3]], [[1], [2]]])
def test_a_grid_goes_to_json_and_back(value):
    grid = as_grid(value)
    assert grid.dtype == np.uint8
    assert to_json(grid) == value
    assert type(to_json(grid)[0][0]) is int


def test_a_grid_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        as_grid([[1]])[0, 0] = 2


def test_a_grid_is_not_the_array_it_was_made_from():
    array = np.ones((2, 2), np.int64)
    grid = as_grid(array)
    array[0, 0] = 5
    assert grid[0, 0] == 1


def test_same_means_size_and_cells():
    assert same(as_grid([[1, 2]]), as_grid([[1, 2]]))
    assert not same(as_grid([[1, 2]]), as_grid([[1], [2]]))
    assert not same(as_grid([[1, 1]]), as_grid([[1]]))  # numpy would broadcast
    assert not same(as_grid([[1, 2]]), as_grid([[1, 3]]))


def test_text_shows_background_as_dots():
    assert to_text(as_grid([[0, 1], [9, 0]])) == ".1\n9."


def test_descriptions_are_short():
    assert describe("x" * 1000) == f"the text {'x' * 20!r}"
    assert len(describe(10**500)) < 40
