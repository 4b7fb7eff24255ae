import json

import numpy as np
import pytest

from arckit.data.augment import IDENTITY, Augmentation, draw_augmentations, parse_view, transform
from arckit.data.grid import as_grid
from arckit.data.task import Pair, Task
from arckit.errors import InputError

GRID = np.array([[0, 1, 2], [3, 4, 5]], np.uint8)
SWAP = (0, 2, 1, 3, 4, 5, 6, 7, 8, 9)
CYCLE = (0, 2, 3, 1, 4, 5, 6, 7, 8, 9)


@pytest.mark.parametrize("symmetry", range(8))
@pytest.mark.parametrize("permutation", [SWAP, CYCLE, (0, 9, 8, 7, 6, 5, 4, 3, 2, 1)])
def test_invert_undoes_apply(symmetry, permutation):
    augmentation = Augmentation(symmetry, permutation)
    np.testing.assert_array_equal(augmentation.invert(augmentation.apply(GRID)), GRID)
    np.testing.assert_array_equal(augmentation.apply(augmentation.invert(GRID)), GRID)


def test_the_eight_symmetries_differ():
    assert len({(transform(GRID, s).shape, transform(GRID, s).tobytes()) for s in range(8)}) == 8


def test_augmentation_equals_the_references_record(golden):
    records = json.loads((golden / "augmentation.json").read_text())
    assert records
    for record in records:
        task_id, augmentation = parse_view(record["name"])
        assert augmentation.name_view(task_id) == record["name"]
        np.testing.assert_array_equal(augmentation.apply(as_grid(record["grid"])), record["augmented"])
        np.testing.assert_array_equal(augmentation.invert(as_grid(record["augmented"])), record["grid"])


def test_the_identity_has_the_tasks_own_name():
    assert IDENTITY.name_view("abc") == "abc"
    assert parse_view("abc") == ("abc", IDENTITY)


@pytest.mark.parametrize("symmetry", range(8))
def test_a_name_reads_back_as_its_augmentation(symmetry):
    augmentation = Augmentation(symmetry, CYCLE)
    assert parse_view(augmentation.name_view("abc")) == ("abc", augmentation)


@pytest.mark.parametrize(
    "name",
    [
        "abc|||t1",
        "abc|||3|||0123456789",
        "abc|||t8|||0123456789",
        "a|||t1|||012345678",
        "a|||t1|||0113456789",
    ],
)
def test_what_is_no_views_name_is_refused(name):
    with pytest.raises(InputError):
        parse_view(name)


@pytest.mark.parametrize("arguments", [(8,), (-1,), (0, (0, 1, 2)), (0, (1, 1, 2, 3, 4, 5, 6, 7, 8, 9))])
def test_what_is_no_augmentation_is_refused(arguments):
    with pytest.raises(InputError):
        Augmentation(*arguments)


def task_of(*grids):
    pairs = tuple(Pair(np.array(grid, np.uint8), np.array(grid, np.uint8)) for grid in grids)
    return Task("abc", pairs, (Pair(np.array(grids[0], np.uint8)),))


def test_a_task_is_augmented_whole_and_unknown_outputs_stay_unknown():
    augmentation = Augmentation(1, SWAP)
    task = augmentation.apply_to_task(task_of([[1, 2]]))
    assert task.id == "abc|||t1|||0213456789"
    np.testing.assert_array_equal(task.demonstrations[0].output, [[1], [2]])
    assert task.tests[0].output is None


def test_drawn_augmentations_differ_and_begin_with_the_identity():
    task = task_of([[1, 2, 3], [4, 5, 6]])
    symmetries, permutations = draw_augmentations(task, 200, np.random.default_rng(0))
    assert symmetries.shape == (200,)
    assert permutations.shape == (200, 10)
    assert symmetries[0] == 0
    assert permutations[0].tolist() == list(range(10))
    assert (permutations[:, 0] == 0).all()
    assert (np.sort(permutations, axis=1) == np.arange(10)).all()
    shown = permutations[:, [1, 2, 3, 4, 5, 6]]
    assert len({(s, p.tobytes()) for s, p in zip(symmetries, shown, strict=True)}) == 200


def test_a_task_of_one_colour_has_only_as_many_views_as_differ():
    symmetries, _ = draw_augmentations(task_of([[1, 0]]), 1000, np.random.default_rng(0))
    assert len(symmetries) <= 8 * 9


def test_equal_generators_draw_equal_augmentations():
    task = task_of([[1, 2, 3]])
    one, two = (draw_augmentations(task, 50, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
