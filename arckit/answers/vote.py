"""Voting: many views' candidates for one test input become two attempts."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from arckit.data.grid import MAX_SIDE, Grid, same
from arckit.data.task import Task


@dataclass(frozen=True, eq=False)
class Candidate:
    """One view's answer to one test input, turned back into the task's own orientation and colours.

    There is no candidate without a grid: a prediction that decodes to None is no answer and never comes here.
    (The reference makes an empty grid of it, votes on that and submits it.)

    Attributes:
        task_id, test: which test input; `test` counts from 0.
        q: the halting logit; the higher, the surer the model is.
        view: the view's name. A view has one voice for each test input.
    """

    task_id: str
    test: int
    grid: Grid
    q: float
    view: str

    def __post_init__(self) -> None:
        assert self.grid.dtype == np.uint8, self.grid.dtype
        assert self.grid.ndim == 2, self.grid.shape
        assert all(1 <= side <= MAX_SIDE for side in self.grid.shape), self.grid.shape
        assert self.test >= 0, self.test


@dataclass(frozen=True, eq=False)
class Vote:
    """A distinct grid, how many views gave it, and the mean of their sigmoid(q)."""

    grid: Grid
    votes: int
    confidence: float


class Ballot:
    """The candidates of any number of test inputs, one voice for each view.

    A new ballot is empty, and each model's answers get a new one. (The reference keeps the votes of earlier
    checkpoints, so that a checkpoint's score is silently an ensemble's.)

    Example:
        >>> ballot = Ballot(candidates)
        >>> best = ballot.votes("0934a4d8", 0)[0].grid
    """

    def __init__(self, candidates: Iterable[Candidate] = ()) -> None:
        self._by_test: dict[tuple[str, int], dict[str, Candidate]] = {}
        for candidate in candidates:
            self.add(candidate)

    def add(self, candidate: Candidate) -> None:
        """Take a candidate in; it replaces the same view's earlier one for the same test input."""
        self._by_test.setdefault((candidate.task_id, candidate.test), {})[candidate.view] = candidate

    def votes(self, task_id: str, test: int) -> list[Vote]:
        """The distinct grids for one test input, best first; none where no view has answered."""
        return rank(self._by_test.get((task_id, test), {}).values())

    @property
    def answered(self) -> frozenset[tuple[str, int]]:
        """The test inputs, (task id, index), that have a candidate."""
        return frozenset(self._by_test)


def rank(candidates: Iterable[Candidate]) -> list[Vote]:
    """Order the distinct grids among one test input's candidates by (votes, mean sigmoid(q)), best first.

    Equal ones are ordered by the grid itself: fewer rows first, then fewer columns, then the smaller cell
    where the two first differ, reading row by row. So the order of arrival makes no difference.
    """
    by_grid: dict[tuple[tuple[int, ...], bytes], list[Candidate]] = {}
    for candidate in candidates:
        by_grid.setdefault((candidate.grid.shape, candidate.grid.tobytes()), []).append(candidate)
    ranked = []
    for key, agreeing in by_grid.items():
        # fsum: rounding that depends on the order of the terms would let the order of arrival break a tie.
        confidence = math.fsum(_sigmoid(candidate.q) for candidate in agreeing) / len(agreeing)
        vote = Vote(agreeing[0].grid, len(agreeing), confidence)
        ranked.append(((-vote.votes, -vote.confidence, key), vote))
    return [vote for _, vote in sorted(ranked, key=lambda item: item[0])]


def attempts(votes: Sequence[Vote], fallback: Sequence[Grid]) -> tuple[Grid, Grid]:
    """Two attempts: the best grids of the vote, then of the fallback; different ones wherever two exist.

    Returns:
        attempt 1 and attempt 2; the same grid twice only if there is no other among all that were given.
    """
    distinct: list[Grid] = []
    for grid in chain((vote.grid for vote in votes), fallback):
        if len(distinct) < 2 and not any(same(grid, other) for other in distinct):
            distinct.append(grid)
    assert distinct, "no vote and no fallback"
    return distinct[0], distinct[-1]


def fallback(task: Task, test: int) -> list[Grid]:
    """What to answer where the model does not, best first.

    The outputs of the task's demonstrations by how often they occur, equal ones in the order of the
    demonstrations; then the test input itself, so that there are nearly always two.
    """
    shown: dict[tuple[tuple[int, ...], bytes], list[Grid]] = {}
    for pair in task.demonstrations:
        if pair.output is not None:
            shown.setdefault((pair.output.shape, pair.output.tobytes()), []).append(pair.output)
    commonest_first = sorted(shown.values(), key=len, reverse=True)  # stable, reverse or not
    return [*(equal[0] for equal in commonest_first), task.tests[test].input]


def _sigmoid(q: float) -> float:
    if math.isnan(q):  # a voice, but no confidence; a NaN would leave the order undefined
        return 0.0
    return 1 / (1 + math.exp(-q)) if q >= 0 else math.exp(q) / (1 + math.exp(q))
