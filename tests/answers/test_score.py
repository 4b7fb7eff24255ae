"""The three rules, and the whole of them against recorded scores of real submissions."""

import json
import math
from pathlib import Path

import pytest

from arckit.answers.score import pass_at, score_submission
from arckit.answers.submission import read_submission
from arckit.answers.vote import Ballot, Candidate
from arckit.data.grid import as_grid
from arckit.data.task import Pair, Task, TaskSet, read_tasks
from arckit.errors import InputError

RIGHT, WRONG = [[1, 0]], [[0, 1]]


def task(task_id, outputs):
    pairs = tuple(Pair(as_grid([[5]]), None if output is None else as_grid(output)) for output in outputs)
    return Task(task_id, (Pair(as_grid([[5]]), as_grid([[6]])),), pairs)


TASKS = TaskSet((task("one", [RIGHT]), task("four", [RIGHT] * 4)), "two tasks")


def entry(first, second=WRONG):
    return {"attempt_1": first, "attempt_2": second}


def entries(*right):
    return [entry(RIGHT if yes else WRONG) for yes in right]


def test_the_leaderboard_s_rule_weighs_tasks_not_outputs():
    score = score_submission({"one": entries(True), "four": entries(True, False, False, False)}, TASKS)
    assert score.to_json() == {
        "task_mean": (1 + 1 / 4) / 2,
        "outputs_correct": 2,
        "outputs": 5,
        "tasks_solved": 1,
        "tasks": 2,
    }
    assert score.fractions == {"one": 1.0, "four": 0.25}
    assert score.missing == ()


def test_either_attempt_counts_and_both_count_once():
    for first, second in [(RIGHT, WRONG), (WRONG, RIGHT), (RIGHT, RIGHT)]:
        assert score_submission({"one": [entry(first, second)]}, TASKS[:1]).outputs_correct == 1


def test_a_missing_task_counts_as_wrong_and_is_named():
    score = score_submission({"one": entries(True)}, TASKS)
    assert score.missing == ("four",)
    assert (score.task_mean, score.outputs, score.tasks, score.tasks_solved) == (0.5, 5, 2, 1)


def test_a_task_that_was_not_asked_for_changes_nothing():
    asked = {"one": entries(True), "four": entries(False, True, False, True)}
    assert score_submission(asked | {"other": entries(True)}, TASKS) == score_submission(asked, TASKS)


def test_an_answer_in_another_test_input_s_place_is_wrong():
    two = TaskSet((task("two", [RIGHT, WRONG]),))
    swapped = [entry(WRONG, [[9]]), entry(RIGHT, [[9]])]
    assert score_submission({"two": swapped}, two).outputs_correct == 0


@pytest.mark.parametrize(
    "value",
    [
        None, 1, "1", {}, [], [[]], [1, 0], [[1, 0], [1]], [[True, False]], [[1.0, 0.0]], [["1", "0"]],
        [[1, 0]] * 31, [[[1, 0]]], [[math.nan, 0]], [[1, 0, 0]], [[1], [0]], [[1, 10**400]],
    ],
)  # fmt: skip
def test_an_attempt_that_is_not_the_grid_is_wrong_and_nothing_worse(value):
    assert score_submission({"one": [entry(value, value)]}, TASKS[:1]).outputs_correct == 0
    assert score_submission({"one": [entry(value, RIGHT)]}, TASKS[:1]).outputs_correct == 1


@pytest.mark.parametrize("value", [None, 1, "text", [], {}, [None], ["text"], [[]], [{}], [{"other": RIGHT}]])
def test_an_entry_of_another_shape_is_wrong_and_nothing_worse(value):
    score = score_submission({"one": value}, TASKS[:1])
    assert (score.outputs_correct, score.missing) == (0, ())


def test_an_unknown_test_output_is_refused_not_scored_as_wrong():  # the reference's fault 9
    tasks = TaskSet((task("known", [RIGHT]), task("unknown", [RIGHT, None])), "a set")
    filler = {"known": entries(True), "unknown": [entry(RIGHT), entry([[0]])]}
    for score in (lambda: score_submission(filler, tasks), lambda: pass_at(2, Ballot(), tasks)):
        with pytest.raises(InputError, match="a set: task unknown: test 1: the true output is not known"):
            score()


def test_a_score_of_nothing_is_refused():
    with pytest.raises(InputError, match="no tasks to score"):
        score_submission({}, TASKS[:0])
    with pytest.raises(InputError, match="submission: found a list of 0, expected an object"):
        score_submission([], TASKS)  # pyright: ignore[reportArgumentType]


def test_pass_at_k_finds_the_output_at_place_k_and_not_before():
    votes = {"first": 3, "second": 2, "third": 1}
    grids = dict(zip(votes, ([[7]], [[8]], RIGHT), strict=True))
    ballot = Ballot(
        Candidate("one", 0, as_grid(grids[name]), 0.0, f"{name} {index}")
        for name, count in votes.items()
        for index in range(count)
    )
    assert [pass_at(k, ballot, TASKS) for k in (1, 2, 3, 4)] == [0.0, 0.0, 0.5, 0.5]


@pytest.mark.parametrize(
    ("record", "challenges"),
    [
        ("arc1_all_to_arc2_evaluation", "arc-prize-2025/arc-agi_evaluation_challenges.json"),
        ("copy_input_concept", "concept-arc/arc-agi_concept_challenges.json"),
    ],
)
def test_recorded_submissions_for_real_tasks_score_exactly_as_recorded(record, challenges, arc_data: Path):
    recorded = arc_data.parent / "golden" / "score"
    if not recorded.is_dir():
        pytest.skip("needs the recorded scores: no golden/score beside the real ARC files")
    solutions = challenges.replace("challenges", "solutions")
    tasks = read_tasks(arc_data / challenges, arc_data / solutions)
    found = score_submission(read_submission(recorded / f"{record}_submission.json"), tasks).to_json()
    expected = json.loads((recorded / f"{record}_expected.json").read_text())
    expected["tasks_solved"] = expected.pop("tasks_fully_solved")
    assert found == expected
