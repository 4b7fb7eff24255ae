"""The stream of examples: seat s's k-th is a function of (seed, s, k) alone."""

from collections import Counter

import numpy as np
import pytest

from arckit.data.canvas import EOS, FIRST_COLOUR, PAD, Canvas, decode, encode
from arckit.data.stream import Example, Stream
from arckit.data.task import Pair, Task
from arckit.data.view import draw_views
from arckit.errors import InputError

CANVAS = Canvas(12)
SEATS = 6


def grid(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    return rng.integers(0, 10, (height, width), dtype=np.uint8)


def make_tasks() -> list[Task]:
    """Three tasks of three, four and five known pairs, one of them a test's, all pairs distinct."""
    rng = np.random.default_rng(0)
    tasks = []
    for number in range(3):
        pairs = [Pair(grid(rng, 3 + number, 4), grid(rng, 2, 3 + number)) for _ in range(3 + number)]
        tasks.append(Task(f"task{number}", tuple(pairs[:-1]), (pairs[-1], Pair(grid(rng, 3, 3)))))
    return tasks


TASKS = make_tasks()
PAIRS = 12


def stream(seed: int = 0, seats: int = SEATS, tasks=TASKS, views: int = 20, **others) -> Stream:
    return Stream(draw_views(tasks, views, seed=0), CANVAS, seats, seed, **others)


def same(one: Example, two: Example) -> bool:
    return one.row == two.row and np.array_equal(one.inputs, two.inputs) and np.array_equal(one.labels, two.labels)


def corner(tokens: np.ndarray) -> tuple[int, int]:
    """Where a grid's top left cell lies."""
    coloured = tokens.reshape(CANVAS.rows, CANVAS.columns) >= FIRST_COLOUR
    return int(coloured.any(1).argmax()), int(coloured.any(0).argmax())


def read_back(tokens: np.ndarray) -> np.ndarray:
    """The grid that lies somewhere on the canvas."""
    row, column = corner(tokens)
    moved = np.zeros((CANVAS.rows, CANVAS.columns), np.uint8)
    square = tokens.reshape(CANVAS.rows, CANVAS.columns)[row:, column:]
    moved[: square.shape[0], : square.shape[1]] = square
    found = decode(moved, CANVAS)
    assert found is not None
    return found


def original(example: Example, of: Stream) -> tuple[int, int]:
    """The task and pair an example shows: turned back, it has to equal exactly one known pair."""
    t = of.views.task_of(example.row)
    undo = of.views.augmentation(example.row).invert
    source, target = undo(read_back(example.inputs)), undo(read_back(example.labels))
    matching = [
        index
        for index, pair in enumerate(of.views.tasks[t].known_pairs)
        if np.array_equal(pair.input, source) and np.array_equal(pair.output, target)
    ]
    assert len(matching) == 1
    return t, matching[0]


def test_an_example_does_not_depend_on_what_was_asked_before():
    asked = [(seat, k) for seat in range(SEATS) for k in range(15)]
    forwards, backwards = stream(), stream()
    expected = {which: forwards.example(*which) for which in asked}
    assert all(same(backwards.example(*which), expected[which]) for which in reversed(asked))
    assert all(same(stream().example(*which), expected[which]) for which in asked[::7])
    assert all(same(forwards.example(*which), expected[which]) for which in asked)


def test_no_global_generator_changes_an_example_or_is_changed_by_one():
    """The reference mixes a seeded generator with the global one, so that ranks disagree about the batch."""
    which = [(seat, k) for seat in range(SEATS) for k in range(5)]
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    expected = [stream().example(*one) for one in which]
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    other = stream(seed=1)
    one = stream()
    for place, (seat, k) in enumerate(which):
        np.random.random()  # noqa: NPY002
        other.example(seat, k)
        assert same(one.example(seat, k), expected[place])


@pytest.mark.parametrize("changed", [{"seed": 1}, {"seed": 2**40}])
def test_another_seed_gives_other_examples(changed):
    one, two = stream(), stream(**changed)
    assert sum(same(one.example(0, k), two.example(0, k)) for k in range(40)) < 10


def test_another_seed_draws_other_views_of_the_same_pair():
    pair = TASKS[0].known_pairs[0]
    one, two = (stream(seed=seed, seats=1, tasks=[Task("one", (pair,), ())]) for seed in (0, 1))
    assert [one.example(0, k).row for k in range(20)] != [two.example(0, k).row for k in range(20)]


def test_neither_seats_nor_examples_repeat_each_others_draws():
    """Views and offsets are drawn anew for each (seat, k): the same pair comes in other views at other places."""
    one = stream(seats=1)
    looks = {(e.row, *corner(e.inputs)) for e in (one.example(0, k) for k in range(10 * PAIRS))}
    assert len(looks) > 8 * PAIRS
    one = stream(seats=10 * PAIRS)
    looks = {(e.row, *corner(e.inputs)) for e in (one.example(seat, 0) for seat in range(10 * PAIRS))}
    assert len(looks) > 8 * PAIRS


@pytest.mark.parametrize("seats", [1, 4, 5, 12, 31])
def test_every_known_pair_comes_once_a_pass_when_all_seats_go_at_one_pace(seats):
    passes = 5
    one = stream(seats=seats)
    rounds = -(-passes * PAIRS // seats)
    shown = [original(one.example(seat, k), one) for k in range(rounds) for seat in range(seats)]
    assert len(one.pairs) == PAIRS
    for turn in range(passes):
        assert len(set(shown[turn * PAIRS : (turn + 1) * PAIRS])) == PAIRS


def test_each_pass_has_an_order_of_its_own():
    one = stream(seats=1)
    shown = [original(one.example(0, k), one) for k in range(3 * PAIRS)]
    orders = {tuple(shown[turn * PAIRS : (turn + 1) * PAIRS]) for turn in range(3)}
    assert len(orders) == 3


def test_passes_far_apart_can_be_asked_for_in_any_order():
    one = stream(seats=1)
    ks = [turn * PAIRS + 3 for turn in range(40)]  # more passes than are remembered
    expected = [one.example(0, k) for k in ks]
    assert all(same(one.example(0, k), e) for k, e in zip(reversed(ks), reversed(expected), strict=True))


def test_every_view_of_a_task_comes_and_none_is_favoured():
    one = stream(seats=1, views=4)
    drawn = Counter(one.example(0, k).row for k in range(50 * PAIRS))
    assert set(drawn) == set(range(len(one.views)))
    for t, pairs in enumerate((3, 4, 5)):
        counts = [drawn[row] for row in one.views.rows_of(t)]
        assert sum(counts) == 50 * pairs
        assert max(counts) < 1.5 * sum(counts) / 4


def test_an_example_turned_back_is_a_pair_of_the_views_own_task():
    one = stream()
    shown = Counter(original(one.example(seat, k), one) for seat in range(SEATS) for k in range(50))
    assert set(shown) == {(t, p) for t, count in enumerate((3, 4, 5)) for p in range(count)}


def test_without_shift_an_example_is_the_encoded_view_itself():
    one = stream(shift=False)
    for seat in range(SEATS):
        example = one.example(seat, 4)
        t, p = original(example, one)
        pair, view = TASKS[t].known_pairs[p], one.views.augmentation(example.row)
        np.testing.assert_array_equal(example.inputs, encode(view.apply(pair.input), CANVAS))
        np.testing.assert_array_equal(example.labels, encode(view.apply(pair.output), CANVAS))
        assert example.inputs.dtype == example.labels.dtype == np.uint8


def test_input_and_output_move_together_and_stay_whole_on_the_canvas():
    one, places = stream(), Counter()
    for seat in range(SEATS):
        for k in range(80):
            example = one.example(seat, k)
            assert corner(example.inputs) == corner(example.labels)
            original(example, one)  # cut off by the edge, it would not read back
            places[corner(example.inputs)] += 1
    assert {row for row, _ in places} == set(range(max(row for row, _ in places) + 1))
    assert max(row for row, _ in places) == CANVAS.rows - 3, "the last place that the lowest grids fit"


def test_about_one_example_in_as_many_as_the_task_has_pairs_is_not_moved():
    room = Stream(draw_views(TASKS, 20, seed=0), Canvas(30), 1, seed=0)
    resting, all_of = Counter(), Counter()
    for k in range(150 * PAIRS):
        example = room.example(0, k)
        t = room.views.task_of(example.row)
        all_of[t] += 1
        # Anything but PAD in the first row and in the first column: an offset of 0, which is drawn one time in 25².
        first = example.inputs.reshape(30, 30)
        resting[t] += bool(first[0].any() and first[:, 0].any())
    for t, pairs in enumerate((3, 4, 5)):
        assert resting[t] / all_of[t] == pytest.approx(1 / pairs, abs=0.05)


def test_a_grid_as_large_as_the_canvas_is_not_moved_and_has_no_eos():
    full = np.ones((12, 12), np.uint8)
    one = stream(tasks=[Task("full", (Pair(full, full),) * 3, (Pair(full),))])
    for k in range(10):
        example = one.example(0, k)
        assert (example.inputs >= FIRST_COLOUR).all()
        assert (example.labels >= FIRST_COLOUR).all()


def test_what_is_hidden_is_never_a_label():
    """Test outputs bear a colour that occurs nowhere else: no view of them may come, and no other task lacks."""
    rng = np.random.default_rng(0)
    small = [Pair(rng.integers(0, 5, (2, 3), dtype=np.uint8), np.ones((2, 3), np.uint8)) for _ in range(3)]
    secret = np.full((7, 7), 9, np.uint8)
    known = Task("open", tuple(small), (Pair(small[0].input, secret),))
    for tasks, comes in (([known], True), ([known.without_solutions()], False)):
        one = stream(tasks=tasks)
        sizes = {read_back(one.example(seat, k).labels).shape for seat in range(SEATS) for k in range(20)}
        assert ((7, 7) in sizes) == comes
        assert sizes <= {(7, 7), (2, 3), (3, 2)}


def test_labels_are_pad_eos_and_the_colours_of_the_answer_only():
    example = stream().example(0, 0)
    answer = read_back(example.labels)
    values, counts = np.unique(example.labels, return_counts=True)
    assert set(values) <= {PAD, EOS, *(answer.ravel() + FIRST_COLOUR)}
    assert counts[values >= FIRST_COLOUR].sum() == answer.size


@pytest.mark.parametrize(("height", "width"), [(13, 2), (2, 13)])
@pytest.mark.parametrize("which", ["input", "output", "test output"])
def test_a_grid_that_does_not_fit_is_an_error_that_names_the_task_and_both_sizes(height, width, which):
    fits, large = np.ones((2, 2), np.uint8), np.ones((height, width), np.uint8)
    pair = Pair(large, fits) if which == "input" else Pair(fits, large)
    task = Task("bad1", (Pair(fits, fits),), (pair,)) if which == "test output" else Task("bad1", (pair,), ())
    with pytest.raises(InputError, match=rf"task bad1: .*{height}×{width}.*12×12"):
        stream(tasks=[*TASKS, task])


def test_a_hidden_output_that_would_not_fit_is_no_error():
    fits, large = np.ones((2, 2), np.uint8), np.ones((13, 2), np.uint8)
    stream(tasks=[Task("good", (Pair(fits, fits),), (Pair(fits, large),)).without_solutions()])


def test_tasks_without_any_known_output_are_an_error():
    only_tests = Task("none", (), (Pair(np.ones((2, 2), np.uint8)),))
    with pytest.raises(InputError, match="no pair with a known output"):
        stream(tasks=[only_tests])


GOLDEN = {
    (0, 0): (0, 0, 0),
    (5, 0): (54, 3, 3),
    (0, 1): (33, 4, 0),
    (3, 1000): (55, 0, 3),
}  # (seat, k): (row, down, right)


def test_examples_are_the_same_in_every_process_and_on_every_machine():
    """A checkpoint made elsewhere has to go on with these very examples."""
    one = stream()
    found = [(one.example(seat, k).row, *corner(one.example(seat, k).inputs)) for seat, k in GOLDEN]
    assert found == list(GOLDEN.values())
