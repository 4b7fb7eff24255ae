"""The submission: two attempts for every test input of every task, as the competition wants them."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from arckit.answers.vote import Ballot, attempts, fallback
from arckit.data.grid import describe, grid_faults, to_json
from arckit.data.task import TaskSet, read_json, write_json
from arckit.errors import InputError

Submission = dict[str, list[dict[str, list[list[int]]]]]
"""`{task_id: [{"attempt_1": grid, "attempt_2": grid}, …]}`, one entry a test input, in their order."""

ATTEMPTS = ("attempt_1", "attempt_2")


def build_submission(tasks: TaskSet, ballot: Ballot) -> Submission:
    """Answer every test input: from the votes where there are any, from the fallback where not.

    An empty ballot gives the fallback alone, which is valid: what is written first. Every entry stands at its
    test input's own place. (The reference skips those without predictions, and the later ones move up.)
    """
    submission: Submission = {}
    for task in tasks:
        submission[task.id] = []
        for test in range(len(task.tests)):
            pair = attempts(ballot.votes(task.id, test), fallback(task, test))
            submission[task.id].append(dict(zip(ATTEMPTS, map(to_json, pair), strict=True)))
    return submission


def write_submission(path: str | Path, submission: Mapping[str, Any]) -> None:
    """Write a submission whole or not at all: whoever reads the file finds the old one or the new one.

    Raises:
        InputError: the folder is missing or cannot be written to, or the disk is full; the old file stays.
    """
    write_json(Path(path), submission)


def read_submission(path: str | Path) -> dict[str, Any]:
    """Read a submission's JSON object, unchecked within.

    Raises:
        InputError: not JSON, or not an object.
    """
    submission = read_json(Path(path))
    if not isinstance(submission, dict):
        raise InputError(f"{path}: found {describe(submission)}, expected an object of entries by task id")
    return submission


def check_submission(path: str | Path, tasks: TaskSet) -> list[str]:
    """Find every fault of a submission file for these tasks.

    Returns:
        one line a fault, naming file, task, test input and attempt, what was found and what was expected;
        an empty list for a valid submission.
    """
    try:
        submission = read_submission(path)
    except InputError as error:
        return [str(error)]
    faults = []
    if (encoding := json.detect_encoding(Path(path).read_bytes())) != "utf-8":
        # We could read it; who reads text as UTF-8, as Python's own json.load does, could not.
        faults.append(f"{path}: written in {encoding}, expected plain UTF-8")
    for task in tasks:
        where = f"{path}: task {_shown(task.id)}"
        if task.id in submission:
            faults += _task_faults(submission[task.id], len(task.tests), where)
        else:
            faults.append(f"{where}: missing, expected a list of {len(task.tests)}, one entry a test input")
    for task_id in submission:
        if task_id not in tasks:
            faults.append(f"{path}: task {_shown(task_id)}: not among the {len(tasks)} tasks of {tasks.name}")
    return faults


def _task_faults(entries: Any, expected: int, where: str) -> Iterator[str]:
    if not isinstance(entries, list):
        yield f"{where}: found {describe(entries)}, expected a list of {expected}, one entry a test input"
        return
    if len(entries) != expected:
        yield f"{where}: found {len(entries)} outputs, expected {expected}, one a test input"
    for test, entry in enumerate(entries):
        if not isinstance(entry, dict):
            yield f"{where}: test {test}: found {describe(entry)}, expected an object with both attempts"
            continue
        for attempt in ATTEMPTS:
            if attempt not in entry:
                yield f"{where}: test {test}: {attempt}: missing, expected a grid"
            else:
                yield from (f"{where}: test {test}: {attempt}: {fault}" for fault in grid_faults(entry[attempt]))
        for key in entry:
            if key not in ATTEMPTS:
                yield f"{where}: test {test}: extra key {_shown(key)}, expected {' and '.join(ATTEMPTS)} only"


def _shown(key: str) -> str:
    """A key as it is if it is short and prints on one line, quoted, escaped and cut off if not."""
    return key if 0 < len(key) <= 40 and key.isprintable() else ascii(key[:40])
