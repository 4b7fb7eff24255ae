"""What the parent process, which knows no torch, hands to the workers, and what they hand back: files in one folder.

job.json               what to do and by when
tasks.json             the tasks, without test outputs
candidates-<n>.jsonl   process n's candidates, a line each as they come
events.jsonl           what happened: a line each
"""

import dataclasses
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from arckit.answers.deadline import Deadline
from arckit.answers.vote import Candidate
from arckit.config import ModelConfig, SolvingConfig, TrainingConfig, from_json
from arckit.data.task import TaskSet, read_json, read_tasks, write_kaggle

EVENTS = "events.jsonl"


@dataclass(frozen=True)
class Job:
    """A solving job.

    Attributes:
        model: the model to begin from scratch; None where a release is given.
        test_time: how to learn on the tasks; None is no learning: the release must hold a row for every task.
        steps: optimiser steps at most; None is as many as the learning share of the time allows.
        release: its folder.
    """

    model: ModelConfig | None
    test_time: TrainingConfig | None
    solving: SolvingConfig
    steps: int | None
    release: str | None
    deadline: Deadline

    def write(self, folder: Path, tasks: TaskSet) -> None:
        write_kaggle(tasks.without_solutions(), folder / "tasks.json")
        values = dataclasses.asdict(self) | {"deadline": str(self.deadline)}
        (folder / "job.json").write_text(json.dumps(values))


def read_job(folder: Path) -> tuple[Job, TaskSet]:
    where = str(folder / "job.json")
    values = read_json(folder / "job.json")
    job = Job(
        model=values["model"] and from_json(ModelConfig, values["model"], where),
        test_time=values["test_time"] and from_json(TrainingConfig, values["test_time"], where),
        solving=from_json(SolvingConfig, values["solving"], where),
        steps=values["steps"],
        release=values["release"],
        deadline=Deadline.parse(values["deadline"]),
    )
    return job, read_tasks(folder / "tasks.json")


class Lines:
    """Complete lines of a file that another process appends to; what is cut off waits for its rest."""

    def __init__(self, path: Path):
        self.path, self._read = path, 0

    def new(self) -> Iterator[dict[str, Any]]:
        try:
            with open(self.path, "rb") as file:
                file.seek(self._read)
                text = file.read()
        except FileNotFoundError:
            return
        complete = text.rfind(b"\n") + 1
        self._read += complete
        for line in text[:complete].splitlines():
            yield json.loads(line)


def candidate_line(candidate: Candidate) -> str:
    values = dataclasses.asdict(candidate) | {"grid": candidate.grid.tolist()}
    return json.dumps(values) + "\n"


def read_candidate(values: dict[str, Any]) -> Candidate:
    plain: dict[str, Any] = values | {"grid": np.array(values["grid"], np.uint8)}
    return Candidate(**plain)


def note(folder: Path, event: str, **facts: Any) -> None:
    """Add a line to `events.jsonl`."""
    line = {"time": round(time.time(), 3), "event": event} | facts
    with open(folder / EVENTS, "a") as file:
        file.write(json.dumps(line) + "\n")
