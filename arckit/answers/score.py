"""The score: what a submission is worth, under each of the rules that people use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from arckit.answers.submission import ATTEMPTS
from arckit.answers.vote import Ballot
from arckit.data.grid import Grid, describe, grid_faults, same, to_json
from arckit.data.task import TaskSet
from arckit.errors import InputError


@dataclass(frozen=True)
class Score:
    """A submission's score under three rules; the task set gives the denominators.

    Attributes:
        task_mean: the leaderboard's rule: the mean over tasks of the fraction of a task's outputs that one of
            its two attempts gets exactly right.
        outputs_correct, outputs: test outputs that one of two attempts gets exactly right, of how many.
        tasks_solved, tasks: tasks with every output right, of how many.
        missing: ids of tasks that the submission lacks; they count as wrong.
        fractions: each task's fraction of outputs right, in the order of the tasks.
    """

    task_mean: float
    outputs_correct: int
    outputs: int
    tasks_solved: int
    tasks: int
    missing: tuple[str, ...]
    fractions: Mapping[str, float]

    def to_json(self) -> dict[str, float | int]:
        """The numbers alone: task_mean, outputs_correct, outputs, tasks_solved, tasks."""
        return {
            "task_mean": self.task_mean,
            "outputs_correct": self.outputs_correct,
            "outputs": self.outputs,
            "tasks_solved": self.tasks_solved,
            "tasks": self.tasks,
        }


def score_submission(submission: Mapping[str, Any], tasks: TaskSet) -> Score:
    """Score a submission against tasks whose test outputs are known.

    It is scored for what it gets right, whatever else is in it: an attempt that is no valid grid, an entry
    that is no object, a test input beyond the list's end are wrong; extra tasks, entries and keys count for
    nothing. Whether the competition would take it at all is `check_submission`'s to say.

    Args:
        submission: the JSON object, as `read_submission` gives it.

    Raises:
        InputError: a test output that is not known (the reference fills in [[0]] and scores it as wrong),
            no tasks, or a submission that is not an object.
    """
    if not isinstance(submission, Mapping):
        raise InputError(f"submission: found {describe(submission)}, expected an object of entries by task id")
    right: dict[str, list[bool]] = {}
    for task_id, outputs in _known_outputs(tasks).items():
        entries = submission.get(task_id)
        entries = entries if isinstance(entries, list) else []
        right[task_id] = [test < len(entries) and _solves(entries[test], output) for test, output in enumerate(outputs)]
    fractions = {task_id: sum(outputs) / len(outputs) for task_id, outputs in right.items()}
    return Score(
        task_mean=_mean(fractions),
        outputs_correct=sum(map(sum, right.values())),
        outputs=sum(map(len, right.values())),
        tasks_solved=sum(map(all, right.values())),
        tasks=len(right),
        missing=tuple(task_id for task_id in right if task_id not in submission),
        fractions=fractions,
    )


def pass_at(k: int, ballot: Ballot, tasks: TaskSet) -> float:
    """The mean over tasks of the fraction of test outputs that are among the k best of the vote.

    Raises:
        InputError: as `score_submission`.
    """
    fractions = {}
    for task_id, outputs in _known_outputs(tasks).items():
        found = [
            any(same(vote.grid, output) for vote in ballot.votes(task_id, test)[:k])
            for test, output in enumerate(outputs)
        ]
        fractions[task_id] = sum(found) / len(found)
    return _mean(fractions)


def _known_outputs(tasks: TaskSet) -> dict[str, list[Grid]]:
    if not len(tasks):
        raise InputError(f"{tasks.name}: no tasks to score, expected at least one")
    known: dict[str, list[Grid]] = {}
    for task in tasks:
        known[task.id] = []
        for test, pair in enumerate(task.tests):
            if pair.output is None:
                raise InputError(
                    f"{tasks.name}: task {task.id}: test {test}: the true output is not known, "
                    "and only known ones can be scored; give the solutions file"
                )
            known[task.id].append(pair.output)
    return known


def _solves(entry: Any, output: Grid) -> bool:
    if not isinstance(entry, dict):
        return False
    given = [entry[attempt] for attempt in ATTEMPTS if attempt in entry]
    # The faults first: to Python [[True]] and [[1.0]] equal [[1]].
    return any(not any(grid_faults(grid)) and grid == to_json(output) for grid in given)


def _mean(fractions: Mapping[str, float]) -> float:
    # Added one by one, as `sum` no longer does from Python 3.12 on: recorded scores agree to the last bit.
    total = 0.0
    for fraction in fractions.values():
        total += fraction
    return total / len(fractions)
