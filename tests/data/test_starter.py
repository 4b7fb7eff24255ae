"""What the starter set promises: of the committed files where it can be, of the generator otherwise."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from arckit.data.starter import make


def read(name):
    return json.loads((make.FOLDER / f"{name}.json").read_text())


def read_split(split):
    """The tasks of the committed files, tests and solutions put together."""
    challenges, solutions = (read(f"arc-agi_{split}_{kind}") for kind in ("challenges", "solutions"))
    assert challenges.keys() == solutions.keys()
    return {
        task_id: {
            "train": task["train"],
            "test": [
                {"input": test["input"], "output": output}
                for test, output in zip(task["test"], solutions[task_id], strict=True)
            ],
        }
        for task_id, task in challenges.items()
    }


TRAINING, EVALUATION = read_split("training"), read_split("evaluation")
EVERYTHING = TRAINING | EVALUATION
FAMILY = read("families")
FILES = sorted(path.name for path in make.FOLDER.glob("*.json"))


def pairs_of(task):
    return task["train"] + task["test"]


def colours_of(pairs, side):
    return {colour for pair in pairs for line in pair[side] for colour in line}


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_script_reproduces_the_committed_files_under_every_hash_seed(hash_seed, tmp_path):
    code = "import sys; from arckit.data.starter.make import write_starter_set; write_starter_set(sys.argv[1])"
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True, env=environment)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (make.FOLDER / name).read_bytes()


def test_the_files_hold_what_the_generator_returns():
    assert make.make_starter_set(make.SEED) == (TRAINING, EVALUATION)


def test_another_seed_gives_other_tasks():
    training, evaluation = make.make_starter_set(make.SEED + 1)
    assert EVERYTHING.keys().isdisjoint(training | evaluation)


def test_the_files_are_small():
    assert sum((make.FOLDER / name).stat().st_size for name in FILES) < 300_000


def test_there_are_enough_tasks_and_families():
    assert len(TRAINING) >= 48
    assert len(EVALUATION) == 20
    assert len({FAMILY[task_id] for task_id in TRAINING}) >= 12
    assert len({FAMILY[task_id] for task_id in EVALUATION}) >= 10


def test_every_task_has_its_own_id_of_eight_hex_digits_and_a_family():
    assert len(EVERYTHING) == len(TRAINING) + len(EVALUATION)
    assert EVERYTHING.keys() == FAMILY.keys()
    assert all(len(task_id) == 8 and set(task_id) <= set("0123456789abcdef") for task_id in EVERYTHING)
    assert set(FAMILY.values()) <= set(make.FAMILIES)


@pytest.mark.parametrize("task_id", EVERYTHING)
def test_a_task_is_four_to_six_demonstrations_and_one_or_two_tests(task_id):
    task = EVERYTHING[task_id]
    assert 5 <= len(task["train"]) <= 7
    assert 1 <= len(task["test"]) <= 2


def test_some_evaluation_tasks_have_two_tests():
    assert sum(len(task["test"]) == 2 for task in EVALUATION.values()) >= 3


@pytest.mark.parametrize("task_id", EVERYTHING)
def test_a_grid_is_a_rectangle_of_colours_with_sides_from_three_to_eight(task_id):
    for pair in pairs_of(EVERYTHING[task_id]):
        for grid in pair.values():
            array = np.array(grid)
            assert array.ndim == 2
            assert min(array.shape) >= 2
            assert max(array.shape) <= make.MAX_SIDE
            assert array.min() >= 0
            assert array.max() <= 9


@pytest.mark.parametrize("task_id", EVERYTHING)
def test_no_input_occurs_twice_in_a_task_or_is_its_own_output(task_id):
    pairs = pairs_of(EVERYTHING[task_id])
    assert len({str(pair["input"]) for pair in pairs}) == len(pairs)
    assert all(pair["input"] != pair["output"] for pair in pairs)


@pytest.mark.parametrize("task_id", EVERYTHING)
def test_every_colour_of_a_test_occurs_on_that_side_of_the_demonstrations(task_id):
    task = EVERYTHING[task_id]
    for side in ("input", "output"):
        assert colours_of(task["test"], side) <= colours_of(task["train"], side)


def test_most_outputs_are_as_large_as_their_inputs_but_not_all():
    same = [
        np.shape(pair["input"]) == np.shape(pair["output"]) for task in EVALUATION.values() for pair in pairs_of(task)
    ]
    assert 0.6 < np.mean(same) < 0.95


@pytest.mark.parametrize("task_id", EVALUATION)
def test_no_evaluation_task_is_solved_by_copying_the_input(task_id):
    assert all(test["input"] != test["output"] for test in EVALUATION[task_id]["test"])


@pytest.mark.parametrize("task_id", EVALUATION)
def test_no_evaluation_task_is_solved_by_the_output_of_a_demonstration(task_id):
    known = [pair["output"] for pair in EVALUATION[task_id]["train"]]
    assert all(test["output"] not in known for test in EVALUATION[task_id]["test"])


@pytest.mark.parametrize("task_id", EVALUATION)
def test_no_evaluation_task_is_solved_by_recolouring_a_grid_it_shows(task_id):
    task = EVALUATION[task_id]
    for test in task["test"]:
        target = np.array(test["output"])
        for shown in [test["input"], *(pair["output"] for pair in task["train"])]:
            shown = np.array(shown)
            if shown.shape == target.shape:
                assert any(len(set(target[shown == colour])) > 1 for colour in range(10))


def test_no_pair_occurs_twice_up_to_symmetry_and_recolouring():
    """So no evaluation task equals a training task, and no test is given away anywhere."""
    keys = [make.pair_key(pair) for task in EVERYTHING.values() for pair in pairs_of(task)]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("symmetry", range(8))
def test_a_pair_has_the_same_key_under_every_symmetry_and_recolouring(symmetry):
    rng = np.random.default_rng(symmetry)
    permutation = rng.permutation(10)
    other = {}
    for side, grid in {
        "input": rng.integers(10, size=(3, 5)),
        "output": rng.integers(10, size=(5, 4)),
    }.items():
        turned = np.rot90(grid, symmetry % 4)
        other[side] = (grid, permutation[turned.T if symmetry >= 4 else turned])
    before, after = ({side: grids[i].tolist() for side, grids in other.items()} for i in (0, 1))
    assert make.pair_key(before) == make.pair_key(after)
    after["output"][0][0] = 9 - after["output"][0][0]
    assert make.pair_key(before) != make.pair_key(after)


def test_every_evaluation_task_has_a_kind_of_rule_that_is_trained_under_another_rule():
    training, evaluation = make.draw_starter_set(make.SEED)
    for made in evaluation:
        rules = [other.rule for other in training if other.family == made.family]
        assert made.rule not in rules
        assert made.rule.kind in {rule.kind for rule in rules}


@pytest.mark.parametrize("family", make.FAMILIES)
def test_a_family_makes_the_same_task_from_the_same_seed(family):
    first, second, other = (make.make_task(family, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert first == second
    assert first != other


@pytest.mark.parametrize("family", make.FAMILIES)
def test_a_family_draws_every_kind_of_rule_it_names(family):
    rng = np.random.default_rng(0)
    assert {make.FAMILIES[family](rng).kind for _ in range(200)} == set(make.KINDS[family])


@pytest.mark.parametrize("family", make.FAMILIES)
def test_every_rule_of_a_family_keeps_to_the_sides(family):
    rng = np.random.default_rng(1)
    for _ in range(20):
        for pair in pairs_of(make.make_task(family, rng)):
            for grid in pair.values():
                assert 2 <= min(np.shape(grid)) <= max(np.shape(grid)) <= make.MAX_SIDE


def draw_of(family, kind):
    """A task of that kind, without its quarter turns."""
    rng = np.random.default_rng(3)
    rules = (make.FAMILIES[family](rng) for _ in range(1000))
    rule = next(rule for rule in rules if rule.kind == kind and rule.turn == 0)
    return rule, [(np.array(p["input"]), np.array(p["output"])) for p in pairs_of(make.draw_task(rule, rng))]


def test_everything_falls_to_the_ground():
    for before, after in draw_of("gravity", "all")[1]:
        for column, fallen in zip(before.T, after.T, strict=True):
            np.testing.assert_array_equal(fallen[fallen > 0], column[column > 0])
            assert (np.diff((fallen > 0).astype(int)) >= 0).all()


def test_what_was_mirrored_is_its_own_mirror_image_and_keeps_what_was_there():
    for kind in make.KINDS["mirror"]:
        for before, after in draw_of("mirror", kind)[1]:
            np.testing.assert_array_equal(after, after[::-1])
            np.testing.assert_array_equal(after[before > 0], before[before > 0])


def test_a_halo_lies_around_its_cell_and_nowhere_else():
    rule, pairs = draw_of("halo", "ring")
    cell, ring = rule.colours
    for before, after in pairs:
        for row, column in np.ndindex(before.shape):
            near = before[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
            colour = before[row, column] or (ring if (near == cell).any() else 0)
            assert after[row, column] == colour


def test_only_what_an_outline_encloses_is_filled():
    rule, pairs = draw_of("enclosed", "inside")
    _, fill = rule.colours
    for before, after in pairs:
        reached = np.pad(np.zeros_like(before), 1, constant_values=1)  # flood from outside the grid
        for _ in range(before.size):
            spread = reached[:-2, 1:-1] | reached[2:, 1:-1] | reached[1:-1, :-2] | reached[1:-1, 2:]
            reached[1:-1, 1:-1] |= spread & (before == 0)
        expected = np.where((before == 0) & (reached[1:-1, 1:-1] == 0), fill, before)
        np.testing.assert_array_equal(after, expected)
