"""From candidates to votes to two attempts, and the whole of it against the reference's record."""

import itertools
import json
import math

import numpy as np
import pytest

from arckit.answers.score import pass_at, score_submission
from arckit.answers.submission import build_submission
from arckit.answers.vote import Ballot, Candidate, Vote, attempts, fallback, rank
from arckit.data.augment import parse_view
from arckit.data.canvas import EOS, PAD, Canvas, decode
from arckit.data.grid import as_grid
from arckit.data.task import Pair, Task, read_tasks

A, B, C = as_grid([[1]]), as_grid([[2]]), as_grid([[3, 3]])


def candidate(grid, q=0.0, view="a", task_id="task", test=0):
    return Candidate(task_id, test, grid, q, view)


def candidates(*grids_and_qs):
    return [candidate(grid, q, f"view {index}") for index, (grid, q) in enumerate(grids_and_qs)]


def as_lists(grids):
    return [grid.tolist() for grid in grids]


def test_more_votes_win_over_a_surer_grid():
    ranked = rank(candidates((A, 9.0), (B, -3.0), (B, -3.0)))
    assert as_lists(vote.grid for vote in ranked) == [[[2]], [[1]]]
    assert [vote.votes for vote in ranked] == [2, 1]


def test_among_equal_votes_the_mean_of_sigmoid_q_decides_not_the_mean_of_q():
    # mean q: A 1, B 0.25; mean sigmoid(q): A 0.50, B 0.52
    ranked = rank(candidates((A, 20.0), (A, -18.0), (B, 2.5), (B, -2.0)))
    assert as_lists(vote.grid for vote in ranked) == [[[2]], [[1]]]
    assert ranked[0].confidence == pytest.approx((1 / (1 + math.exp(-2.5)) + 1 / (1 + math.exp(2.0))) / 2)


def test_the_order_of_arrival_makes_no_difference():
    qs = (0.1, 0.3, -0.3)  # sums of these sigmoids round differently in different orders
    given = candidates(*[(grid, q) for grid in (C, B, A) for q in qs])
    expected = [([[1]], 3), ([[2]], 3), ([[3, 3]], 3)]  # all equal: the smaller grid first
    rng = np.random.default_rng(0)
    for _ in range(50):
        ranked = rank([given[index] for index in rng.permutation(len(given))])
        assert [(vote.grid.tolist(), vote.votes) for vote in ranked] == expected
        assert len({vote.confidence for vote in ranked}) == 1


def test_equal_bytes_in_another_shape_are_another_grid():
    flat, tall = as_grid([[1, 2, 3, 4]]), as_grid([[1, 2], [3, 4]])
    assert len(rank(candidates((flat, 0.0), (tall, 0.0), (flat.reshape(4, 1), 0.0)))) == 3


def test_a_turned_grid_counts_as_the_grid_it_shows_whatever_its_memory_looks_like():
    grid = as_grid([[1, 2], [3, 4]])
    assert len(rank(candidates((grid, 0.0), (np.rot90(np.rot90(grid, 1).copy(), 3), 0.0)))) == 1


def test_extreme_and_undefined_q_are_ranked_too():
    ranked = rank(candidates((A, math.nan), (B, -math.inf), (C, 1e4)))
    assert as_lists(vote.grid for vote in ranked) == [[[3, 3]], [[1]], [[2]]]
    assert [vote.confidence for vote in ranked] == [1.0, 0.0, 0.0]


def test_a_view_counts_once_for_a_test_input_with_its_latest_answer():
    ballot = Ballot([candidate(A, view="same"), candidate(A, view="same"), candidate(B, view="same")])
    (vote,) = ballot.votes("task", 0)
    assert (vote.grid.tolist(), vote.votes) == ([[2]], 1)


def test_a_view_counts_once_for_each_test_input():
    ballot = Ballot([candidate(A, test=0), candidate(B, test=1), candidate(C, task_id="other")])
    assert [ballot.votes(task_id, test)[0].votes for task_id, test in sorted(ballot.answered)] == [1, 1, 1]
    assert ballot.answered == {("task", 0), ("task", 1), ("other", 0)}
    assert ballot.votes("task", 2) == []


def test_votes_of_an_earlier_checkpoint_are_not_in_a_new_ballot():  # the reference's fault 1
    earlier = Ballot([candidate(A, view="a"), candidate(A, view="b")])
    later = Ballot([candidate(B, view="a")])
    assert [vote.votes for vote in earlier.votes("task", 0)] == [2]
    assert as_lists(vote.grid for vote in later.votes("task", 0)) == [[[2]]]


def test_an_empty_grid_is_never_voted_on():  # the reference's fault 2
    for first in (PAD, EOS):
        assert decode(np.full(900, first, np.uint8), Canvas()) is None  # nothing to make a candidate of
    for empty in (np.zeros((0, 0), np.uint8), np.zeros((1, 0), np.uint8)):
        with pytest.raises(AssertionError):
            candidate(empty)


def votes(*grids):
    return [Vote(grid, 1, 0.5) for grid in grids]


@pytest.mark.parametrize(
    ("voted", "fallen_back", "expected"),
    [
        ((A, B, C), (C,), (A, B)),
        ((A,), (B, C), (A, B)),
        ((A,), (A.copy(), B), (A, B)),
        ((), (A, A, B), (A, B)),
        ((A, A.copy()), (C,), (A, C)),
    ],
)
def test_two_attempts_differ_wherever_two_grids_exist(voted, fallen_back, expected):
    assert as_lists(attempts(votes(*voted), fallen_back)) == as_lists(expected)


def test_only_a_lone_grid_is_both_attempts():
    assert as_lists(attempts(votes(A), [A])) == [[[1]], [[1]]]


def test_the_fallback_is_the_commonest_demonstration_output_then_the_earliest_then_the_test_input():
    outputs = [A, B, C, C, B]
    task = Task("task", tuple(Pair(as_grid([[9]]), output) for output in outputs), (Pair(as_grid([[7]])),))
    assert as_lists(fallback(task, 0)) == [[[2]], [[3, 3]], [[1]], [[7]]]


def test_without_candidates_a_task_with_one_demonstration_still_gets_two_different_attempts():
    task = Task("task", (Pair(A, B),), (Pair(C),))
    assert as_lists(attempts([], fallback(task, 0))) == [[[2]], [[3, 3]]]


@pytest.fixture(scope="module")
def recorded(golden):
    """The record's tasks, the candidates in its predictions, and what the reference made of them."""
    tasks = read_tasks(golden / "voting_tasks.json")
    predictions = np.load(golden / "voting_predictions.npz")
    found = []
    for name, test, tokens, q in zip(
        *(predictions[key].tolist() for key in ("augmentation_name", "test_index")),
        predictions["predicted_tokens"],
        predictions["q_halt_logits"].tolist(),
        strict=True,
    ):
        task_id, augmentation = parse_view(name)
        grid = decode(tokens, Canvas())
        assert grid is not None
        found.append(Candidate(task_id, test, augmentation.invert(grid), q, name))
    return tasks, found, json.loads((golden / "voting_expected.json").read_text())


def test_both_attempts_of_every_test_input_are_the_reference_s(recorded):
    tasks, found, expected = recorded
    for order in (found, found[::-1]):
        assert build_submission(tasks, Ballot(order)) == expected["submission"]


def test_pass_at_k_and_the_score_are_the_reference_s(recorded):
    tasks, found, expected = recorded
    ballot = Ballot(found)
    for name, value in expected["pass_at_k_mean_over_tasks"].items():
        assert pass_at(int(name.removeprefix("ARC/pass@")), ballot, tasks) == value, name
    score = score_submission(build_submission(tasks, ballot), tasks)
    assert score.outputs_correct / score.outputs == expected["kaggle_score_mean_over_test_outputs"]
    assert score.task_mean == expected["pass_at_k_mean_over_tasks"]["ARC/pass@2"]


def test_candidates_of_several_processes_that_repeat_each_other_count_once(recorded):
    tasks, found, expected = recorded
    twice = itertools.chain(found, found[: len(found) // 3])
    assert build_submission(tasks, Ballot(twice)) == expected["submission"]
