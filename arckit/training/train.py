"""The loop: learn until the steps are done, the deadline comes, or Ctrl-C, and lose nothing."""

import dataclasses
import json
import os
import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TextIO

import torch
from accelerate import Accelerator
from accelerate.tracking import get_available_trackers
from accelerate.utils import InitProcessGroupKwargs
from tqdm import tqdm

from arckit.answers.deadline import Deadline
from arckit.config import Recipe
from arckit.data.task import TaskSet
from arckit.data.view import draw_views
from arckit.errors import InputError
from arckit.model.release import Release, may_be_replaced, save_release
from arckit.model.trm import TinyRecursiveModel
from arckit.training.checkpoint import NAME as CHECKPOINT
from arckit.training.checkpoint import load_checkpoint, save_checkpoint
from arckit.training.learner import Heard, Learner, StepRecord

METRICS = "metrics.jsonl"
RELEASE = "release"


def train(
    tasks: TaskSet,
    recipe: Recipe,
    out: str | Path,
    deadline: Deadline | None = None,
    steps: int | None = None,
    resume_from: str | Path | None = None,
    checkpoint_seconds: float = 300.0,
    trackers: Sequence[str] = (),
) -> Release:
    """Train a model from scratch, or go on where a run was interrupted, and leave a release in `out/release`.

    Every pair whose output is known is learned from: hide what must not be with `tasks.without_solutions()`.

    Args:
        out: the run's folder: `metrics.jsonl`, the checkpoint, the release. A run whose checkpoint lies there goes on.
        deadline: when to be done, the release included; None is no limit.
        steps: optimiser steps in all; None is as many as there is time for.
        resume_from: another run's folder to go on from, if `out` has no checkpoint yet; it is only read.
        trackers: names that Accelerate knows, "tensorboard" or "wandb".

    Raises:
        InputError: nothing says when to stop, the tasks do not fit on the canvas, the folder cannot be written, or the
            checkpoint is of another run.
    """
    out, deadline = Path(out), deadline or Deadline.never()
    if steps is None and deadline.end == float("inf"):
        raise InputError("neither steps nor a time limit, expected at least one of them")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror})") from None
    may_be_replaced(out / RELEASE)
    accelerator = make_accelerator(trackers, out)
    views = draw_views(tuple(tasks), recipe.training.views, recipe.training.seed)
    rows = torch.zeros(len(views), recipe.model.D_emb)
    model = TinyRecursiveModel(recipe.model, recipe.training.seed)
    learner = Learner(model, rows, views, recipe.training, accelerator)
    resume(learner, out, None if resume_from is None else Path(resume_from))
    if trackers:
        accelerator.init_trackers("arckit", config={"recipe": recipe.name, "tasks": len(tasks)})
    run(learner, out, steps, deadline, checkpoint_seconds)
    release = learner.release(
        {
            "recipe": recipe.name,
            "steps": learner.steps,
            "seconds": round(learner.seconds, 1),
            "tasks": len(tasks),
            "data": tasks.name,
            "data_sha256": tasks.content_hash(),
        }
    )
    if accelerator.is_main_process:
        save_release(release, out / RELEASE)
    accelerator.wait_for_everyone()
    if trackers:
        accelerator.end_training()
    return release


def make_accelerator(
    trackers: Sequence[str] = (), folder: Path | None = None, patience: timedelta = timedelta(minutes=10)
) -> Accelerator:
    """Accelerate, for devices, processes and trackers. Precision is the model's own affair: the carry has to stay
    in the precision it is computed in, and Accelerate's wrapper would turn it into float32 at every step.

    Args:
        patience: how long processes wait for each other; the others wait while the first one saves.
    """
    available = {str(tracker.value) for tracker in get_available_trackers()}
    if missing := sorted(set(trackers) - available):
        raise InputError(f"tracker {missing[0]!r}: unknown or not installed, expected one of {sorted(available)}")
    return Accelerator(
        cpu=not torch.accelerator.is_available(),  # several processes on CPUs make no group unless told so
        kwargs_handlers=[InitProcessGroupKwargs(timeout=patience)],
        log_with=list(trackers) or None,
        project_dir=folder,
    )


def run(
    learner: Learner,
    folder: Path | None,
    steps: int | None,
    deadline: Deadline,
    checkpoint_seconds: float = 300.0,
) -> StepRecord | None:
    """Learn until `steps` optimiser steps are done in all, or the deadline comes, or Ctrl-C.

    With a folder, every step is a line of `metrics.jsonl`, and a checkpoint is kept at most `checkpoint_seconds`
    old, and at the end.

    Returns:
        The last step's record; None if there was no time for any.
    """
    accelerator = learner.accelerator
    main = accelerator.is_main_process
    recent: deque[StepRecord] = deque(maxlen=50)
    saved, slowest, saving = time.monotonic(), 0.0, 0.0
    with _metrics(folder if main else None) as metrics, _interrupts() as interrupted:
        bar = tqdm(total=steps, initial=learner.steps, desc="learning", unit="step", disable=None if main else True)

        def note(heard: list[Heard]) -> tuple[bool, bool]:
            for one in heard:
                recent.append(one.record)
                if metrics is not None:
                    metrics.write(json.dumps(dataclasses.asdict(one.record)) + "\n")
                if accelerator.trackers:
                    numbers = dataclasses.asdict(one.record)
                    accelerator.log({k: v for k, v in numbers.items() if v is not None}, step=one.record.step)
                bar.update()
                bar.set_postfix_str(_postfix(recent, learner, deadline), refresh=False)
            return any(one.stop for one in heard), any(one.save for one in heard)

        stop = _any_process(accelerator, deadline.passed())
        while not stop and (steps is None or learner.steps < steps):
            began = time.monotonic()
            # One step is queued and one is on its way: both have to be done by the deadline, and the last save.
            late = not deadline.fits(2 * slowest + 2 * saving)
            due = folder is not None and main and began - saved >= checkpoint_seconds
            stop, save = note(learner.step(late or bool(interrupted), due))
            if save and not stop:
                stop, _ = note(learner.finish())
                began = time.monotonic()
                _save(learner, folder)
                saved = time.monotonic()
                saving = max(saving, saved - began)
            else:
                slowest = max(0.9 * slowest, time.monotonic() - began)
        note(learner.finish())
        bar.close()
    if folder is not None and learner.steps:
        _save(learner, folder)
    return recent[-1] if recent else None


def resume(learner: Learner, folder: Path, earlier: Path | None = None) -> bool:
    """Go on from the checkpoint in `folder`, or else in `earlier`, which is only read.

    `metrics.jsonl` is cut back to the checkpoint. Returns whether there was one.
    """
    source = next((f for f in (folder, earlier) if f is not None and (f / CHECKPOINT).exists()), None)
    if source is not None:
        learner.load_state_dict(load_checkpoint(source))
    elif earlier is not None:
        raise InputError(f"{earlier / CHECKPOINT}: there is no such checkpoint to go on from")
    accelerator = learner.accelerator
    steps = accelerator.gather(torch.tensor([learner.steps], device=accelerator.device))
    assert isinstance(steps, torch.Tensor)
    if len(found := steps.unique().tolist()) > 1:
        raise InputError(f"{folder}: processes begin at steps {found}; do they all see the same folder?")
    if accelerator.is_main_process:
        lines = _lines_until((source or folder) / METRICS, learner.steps)  # none, if there was no checkpoint yet
        temporary = folder / f".{METRICS}"
        temporary.write_text("".join(lines))
        os.replace(temporary, folder / METRICS)
    accelerator.wait_for_everyone()
    return source is not None


def _lines_until(path: Path, step: int) -> list[str]:
    lines = []
    if path.exists():
        for line in path.read_text(errors="replace").splitlines(keepends=True):
            try:
                if json.loads(line)["step"] > step:
                    break
            except (ValueError, TypeError, KeyError):  # the last line, cut off when the run was killed
                break
            lines.append(line)
    return lines


def _any_process(accelerator: Accelerator, wish: bool) -> bool:
    """Whether any process wishes so; all of them have to ask."""
    wishes = accelerator.reduce(torch.tensor(float(wish), device=accelerator.device), "sum")
    assert isinstance(wishes, torch.Tensor)
    return wishes.item() > 0


def _save(learner: Learner, folder: Path | None) -> None:
    state = learner.state_dict()  # on all processes: the seats are gathered
    if folder is not None and learner.accelerator.is_main_process:
        save_checkpoint(state, folder)
    learner.accelerator.wait_for_everyone()


@contextmanager
def _metrics(folder: Path | None) -> Iterator[TextIO | None]:
    if folder is None:
        yield None
        return
    with open(folder / METRICS, "a", buffering=1) as file:  # a line at a time
        yield file


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Note the first Ctrl-C, so that the step at hand ends and is saved; the second one interrupts."""
    seen: list[int] = []

    def note(number: int, frame: Any) -> None:
        if seen:
            raise KeyboardInterrupt
        seen.append(number)

    try:
        before = signal.signal(signal.SIGINT, note)
    except ValueError:  # not in the main thread: whoever runs it there handles its signals
        yield seen
        return
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)


def _postfix(recent: Sequence[StepRecord], learner: Learner, deadline: Deadline) -> str:
    finished = sum(r.finished for r in recent)
    exact = sum((r.exact_accuracy or 0) * r.finished for r in recent)
    seconds = recent[-1].seconds - recent[0].seconds
    parts = [f"loss {sum(r.loss for r in recent) / len(recent):.3f}"]
    if finished:
        parts.append(f"exact {exact / finished:.1%}")
    if seconds > 0:
        parts.append(f"{(len(recent) - 1) * learner.config.batch / seconds:.0f} examples/s")
    if deadline.remaining() < float("inf"):
        minutes, rest = divmod(max(0, int(deadline.remaining())), 60)
        parts.append(f"{minutes}:{rest:02} left, ends {time.strftime('%H:%M:%S', time.localtime(deadline.end))}")
    return ", ".join(parts)
