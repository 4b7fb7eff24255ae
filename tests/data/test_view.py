"""Views: which augmentations of which task have which row."""

import os
import subprocess
import sys

import numpy as np
import pytest

from arckit.data.augment import IDENTITY, Augmentation, parse_view
from arckit.data.task import Pair, Task
from arckit.data.view import Views, draw_views, named_views
from arckit.errors import InputError

COLOURFUL = [[1, 2, 3, 4, 5], [6, 7, 8, 9, 0]]


def task(task_id: str, *grids: list[list[int]]) -> Task:
    pairs = tuple(Pair(np.array(grid, np.uint8), np.array(grid, np.uint8)) for grid in grids or [COLOURFUL])
    return Task(task_id, pairs, (Pair(pairs[0].input),))


A, B, C = task("aaaa"), task("bbbb"), task("cccc", [[1, 2], [3, 0]])
FEW = task("few", [[0, 0], [0, 5]])


def names_of(views: Views, task_id: str) -> list[str]:
    return [name for name in views.names() if parse_view(name)[0] == task_id]


def test_a_tasks_views_do_not_depend_on_the_tasks_around_it():
    alone = list(draw_views([B], 40, seed=3).names())
    assert names_of(draw_views([A, B, C, FEW], 40, seed=3), "bbbb") == alone
    assert names_of(draw_views([FEW, B, A], 40, seed=3), "bbbb") == alone


def test_more_views_begin_with_the_fewer():
    few, many = (names_of(draw_views([A, B], count, seed=3), "aaaa") for count in (1, 40))
    assert few == many[:1] == ["aaaa"]


def test_views_depend_on_the_seed_and_on_the_tasks_own_id():
    one, two = (list(draw_views([A], 40, seed).names()) for seed in (0, 1))
    assert len(set(one) & set(two)) < 10
    a, b = draw_views([A, B], 40, 0).names(), draw_views([A, B], 40, 0)
    assert [n.partition("|||")[2] for n in names_of(b, "aaaa")] != [n.partition("|||")[2] for n in names_of(b, "bbbb")]
    assert list(a) == list(b.names())


def test_no_global_generator_is_used():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    one = list(draw_views([A], 40, seed=0).names())
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    assert list(draw_views([A], 40, seed=0).names()) == one


def test_views_are_the_same_whatever_the_hash_seed_the_process_or_the_day():
    """Of the reference, an order depends on PYTHONHASHSEED; and these very names stand beside trained rows."""
    program = """
import numpy as np
from arckit.data.task import Pair, Task
from arckit.data.view import draw_views
grid = np.array([[1, 2, 3, 4, 5], [6, 7, 8, 9, 0]], np.uint8)
print(*draw_views([Task("aaaa", (Pair(grid, grid),), (Pair(grid),))], 4, seed=0).names())
"""
    for hash_seed in ("0", "1"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", program]
        output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
        assert output.split() == [
            "aaaa",
            "aaaa|||t2|||0736241895",
            "aaaa|||t0|||0439218765",
            "aaaa|||t1|||0613879452",
        ]


def test_every_tasks_first_view_is_the_task_as_it_is():
    views = draw_views([A, B, FEW], 20, seed=0)
    for index, own in enumerate(views.tasks):
        row = views.rows_of(index)[0]
        assert views.augmentation(row) == IDENTITY
        assert views.name(row) == own.id


def test_the_views_of_a_task_all_look_different():
    views = draw_views([A], 1000, seed=0)
    seen = [views.augmentation(row).apply(A.demonstrations[0].input) for row in range(len(views))]
    assert len({(grid.shape, grid.tobytes()) for grid in seen}) == len(views) == 1000


@pytest.mark.parametrize("own", [A, C, FEW], ids=lambda own: own.id)
def test_no_name_is_there_twice(own):
    names = list(draw_views([own], 1000, seed=0).names())
    assert len(set(names)) == len(names)


def test_background_stays_background_in_every_view():
    assert (draw_views([A, FEW], 300, seed=0).permutation[:, 0] == 0).all()


def test_a_task_of_few_colours_has_fewer_views_and_its_neighbours_have_all_of_theirs():
    views = draw_views([A, FEW, B], 500, seed=0)
    assert [len(views.rows_of(t)) for t in (0, 2)] == [500, 500]
    assert 36 < len(views.rows_of(1)) <= 8 * 9, "one colour that moves: eight symmetries, nine places"
    assert len(views) == 1000 + len(views.rows_of(1))


def test_rows_of_and_task_of_agree_and_leave_no_row_out():
    views = draw_views([A, FEW, B, C], 100, seed=0)
    rows = [(row, t) for t in range(4) for row in views.rows_of(t)]
    assert [row for row, _ in rows] == list(range(len(views)))
    assert [views.task_of(row) for row, _ in rows] == [t for _, t in rows]
    assert [views.name(row) for row, _ in rows] == list(views.names())


def test_one_view_a_task_is_the_task_itself():
    assert list(draw_views([A, B], 1, seed=0).names()) == ["aaaa", "bbbb"]


def test_no_tasks_are_an_error():
    with pytest.raises(InputError, match="no tasks"):
        draw_views([], 10, seed=0)


# --- by name --------------------------------------------------------------------------------------------------------


def test_names_read_back_as_the_same_views():
    views = draw_views([A, FEW, C], 100, seed=0)
    again = named_views([A, FEW, C], list(views.names()))
    np.testing.assert_array_equal(again.first, views.first)
    np.testing.assert_array_equal(again.symmetry, views.symmetry)
    np.testing.assert_array_equal(again.permutation, views.permutation)
    for row in (0, 1, 50, len(views) - 1):
        assert parse_view(views.name(row)) == (views.tasks[views.task_of(row)].id, views.augmentation(row))


def test_names_in_any_order_give_each_task_its_own_identity_first():
    names = list(draw_views([A, B], 30, seed=0).names())
    np.random.default_rng(0).shuffle(names)
    views = named_views([B, A], names)
    assert sorted(views.names()) == sorted(names)
    assert [views.task_of(row) for row in range(60)] == [0] * 30 + [1] * 30
    assert [views.name(views.rows_of(t)[0]) for t in (0, 1)] == ["bbbb", "aaaa"]


def test_names_of_other_tasks_are_left_out():
    views = named_views([B], ["aaaa", "bbbb", Augmentation(3).name_view("bbbb"), "cccc"])
    assert list(views.names()) == ["bbbb", Augmentation(3).name_view("bbbb")]


def test_a_task_without_a_named_view_is_an_error_that_counts_and_names_it():
    with pytest.raises(InputError, match=r"no embedding row for 2 of 3 tasks: aaaa, cccc$"):
        named_views([A, B, C], ["bbbb", "dddd"])
