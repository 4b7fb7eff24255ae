"""Solving: the parent process. It knows no torch, owns the deadline and the submission, and starts the workers.

A valid submission lies there before anything else happens; it gets better as candidates come.
"""

import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arckit.answers.deadline import Deadline
from arckit.answers.submission import build_submission, write_submission
from arckit.answers.vote import Ballot
from arckit.config import Recipe
from arckit.data.canvas import room_for
from arckit.data.task import TaskSet
from arckit.errors import InputError
from arckit.solving.job import EVENTS, Job, Lines, read_candidate

LEAST = 8.0
"""Seconds: with less there is no time to start a worker, and the fallback is the answer."""


@dataclass(frozen=True)
class Solved:
    """What came of it.

    Attributes:
        submission: as written. fallback: what would have been written without any model.
        test_inputs: how many there are. answered: how many of them the model answered with at least one view;
            the fallback answered the rest.
        views: candidates that voted. seconds: spent.
        events: what the workers noted. late: whether workers had to be stopped at the deadline.
        failed: why the workers ended before their time, or "".
    """

    submission: dict[str, Any]
    fallback: dict[str, Any]
    test_inputs: int
    answered: int
    views: int
    seconds: float
    events: tuple[dict[str, Any], ...]
    late: bool
    failed: str

    def __str__(self) -> str:
        """Who answered what, and what was lost and why; several lines if something was."""
        lines = [
            f"{len(self.submission)} tasks, {self.test_inputs} test inputs: {self.answered} answered by the model "
            f"({self.views} views), {self.test_inputs - self.answered} by the fallback; {self.seconds:.0f} s"
        ]
        for event in self.events:
            if "why" in event:
                tasks = f": {', '.join(event['tasks'])}" if "tasks" in event else ""
                lines.append(f"{event['event']}: {event['why']}{tasks}")
        if self.late:
            lines.append("the workers were not done by the deadline and were stopped")
        if self.failed:
            lines.append(f"{self.failed}; what was answered until then is kept")
        return "\n".join(lines)


def solve(
    tasks: TaskSet,
    out: str | Path,
    recipe: Recipe,
    deadline: Deadline,
    release: str | Path | None = None,
    learn: bool = True,
    steps: int | None = None,
    processes: int = 1,
    say: Callable[[str], None] = lambda line: None,
) -> Solved:
    """Solve tasks: learn on their demonstrations, answer under many views, vote, write `out` again and again.

    Test outputs, if the tasks have any, are not looked at.

    Args:
        out: the submission; valid from the first moment on, replaced whole each time.
        deadline: kept. Its reserve is for the last write.
        release: the folder of a release to start from; None is from scratch.
        learn: False answers with the release as it is, which then must hold rows for every task.
        steps: optimiser steps at test time at most; None is as many as the recipe's share of the time allows.
        processes: on this machine; one a GPU.
        say: is told, in a line, what is going on.

    Raises:
        InputError: the submission cannot be written, nothing says when to stop, or the release cannot be used;
            where a submission can be written at all, a valid one lies there even then.
    """
    began = time.time()
    if learn and steps is None and deadline.end == float("inf"):
        raise InputError("neither steps nor a time limit, expected at least one of them")
    if not learn and release is None:
        raise InputError("without learning there has to be a release to answer with")
    tasks = tasks.without_solutions()
    fallback = build_submission(tasks, Ballot())
    write_submission(out, fallback)
    say(f"{out}: valid from now on, {len(tasks)} tasks answered by the fallback")
    if deadline.remaining() < LEAST:
        say(f"{max(0.0, deadline.remaining()):.0f} seconds are too short to start a model; the fallback stays")
        return Solved(fallback, fallback, _count(tasks), 0, 0, time.time() - began, (), False, "")
    model = None
    if release is None:
        model = dataclasses.replace(recipe.model, side=min(recipe.model.side, max(map(room_for, tasks))))
    job = Job(
        model=model,
        test_time=recipe.test_time if learn else None,
        solving=recipe.solving,
        steps=steps,
        release=None if release is None else str(Path(release).resolve()),
        deadline=Deadline(deadline.end, deadline.reserve + 1.0),  # workers stop before the parent stops them
    )
    with tempfile.TemporaryDirectory(prefix="arckit-", ignore_cleanup_errors=True) as folder:
        job.write(Path(folder), tasks)
        return _follow(tasks, Path(out), Path(folder), deadline, processes, fallback, began)


def _follow(
    tasks: TaskSet, out: Path, folder: Path, deadline: Deadline, processes: int, fallback: dict, began: float
) -> Solved:
    """Take candidates in and write the submission until the workers are done or the time is."""
    worker = _start(folder, processes)
    sources = [Lines(folder / f"candidates-{n}.jsonl") for n in range(processes)]
    ballot, submission, views, late = Ballot(), fallback, 0, False
    try:
        while True:
            ended = worker.poll() is not None
            new = [read_candidate(values) for source in sources for values in source.new()]
            for candidate in new:
                ballot.add(candidate)
            if new:
                views += len(new)
                submission = build_submission(tasks, ballot)
                write_submission(out, submission)
            if ended:
                break
            if deadline.passed():
                late = True
                break
            time.sleep(min(0.5, max(0.01, deadline.remaining())))
    finally:
        _stop(worker)
    events = tuple(Lines(folder / EVENTS).new())
    for event in events:
        if event["event"] == "refused":
            raise InputError(event["why"])
    failed = "" if late or worker.returncode == 0 else f"the worker ended with code {worker.returncode}"
    return Solved(
        submission,
        fallback,
        _count(tasks),
        len(ballot.answered),
        views,
        time.time() - began,
        events,
        late,
        failed,
    )


def _start(folder: Path, processes: int) -> subprocess.Popen:
    command = [sys.executable, "-m", "arckit.solving.worker", str(folder)]
    if processes > 1:
        torchrun = ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
        command[2:3] = [*torchrun, "arckit.solving.worker"]
    # Its standard input is a pipe that only we hold: it closes when we end, and the workers end with it.
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True, env=_environment()
    )


def _environment() -> dict[str, str]:
    # The workers have to find the arckit that runs here, installed or not.
    here = str(Path(__file__).parents[2])
    path = os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
    return os.environ | {"PYTHONPATH": path}


def _stop(worker: subprocess.Popen) -> None:
    if worker.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(worker.pid, 9)  # nothing of theirs needs an orderly end
        worker.wait()
    # torchrun's own children are in sessions of their own, out of killpg's reach: they end when this closes.
    if worker.stdin is not None:
        worker.stdin.close()


def _count(tasks: TaskSet) -> int:
    return sum(len(task.tests) for task in tasks)
