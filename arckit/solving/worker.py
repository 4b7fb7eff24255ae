"""The part of solving that needs torch: learn on the demonstrations, then answer until the time is up.

Started by the parent as `python -m arckit.solving.worker FOLDER`, alone or several under torchrun.
"""

import os
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

from tqdm import tqdm

from arckit.answers.deadline import Deadline
from arckit.data.canvas import VOCABULARY
from arckit.data.task import TaskSet
from arckit.data.view import Views, named_views
from arckit.errors import InputError, NotFinite
from arckit.model.release import Release, load_release
from arckit.model.trm import TinyRecursiveModel
from arckit.solving.job import Job, candidate_line, note, read_job
from arckit.solving.predict import all_questions, answer, batches
from arckit.training.learner import compute_dtype
from arckit.training.train import make_accelerator, run
from arckit.training.ttt import learner_for


def work(folder: Path) -> None:
    """Do the job in this folder."""
    job, tasks = read_job(folder)
    accelerator = make_accelerator(patience=timedelta(minutes=1))
    main = accelerator.is_main_process
    release = None if job.release is None else load_release(job.release)
    config = job.model if release is None else release.config
    assert config is not None
    if config.vocabulary != VOCABULARY:
        raise InputError(f"{job.release}: a model of {config.vocabulary} tokens, expected ARC's {VOCABULARY}")
    fitting = tasks.filter(lambda task: task.largest_side <= config.side)
    if main and len(fitting) < len(tasks):
        left_out = sorted(set(tasks.ids) - set(fitting.ids))
        note(folder, "left out", why=f"larger than the model's canvas of side {config.side}", tasks=left_out)
    if not len(fitting):
        return
    if job.test_time is None:
        assert release is not None
        model, rows, views = _as_released(release, fitting)
        model, dtype = model.to(accelerator.device), compute_dtype("auto", accelerator.device)
        _predict(job, folder, model, rows.to(accelerator.device), views, dtype, accelerator)
        return
    learner = learner_for(tuple(fitting), release or config, job.test_time, accelerator)
    if main:
        note(folder, "learning", views=len(learner.views), tasks=len(fitting))
    left = max(0.0, job.deadline.remaining())
    until = Deadline.never() if left == float("inf") else Deadline.after(job.solving.learning_share * left, 0.0)
    try:
        last = run(learner, None, job.steps, until)
        if main and last is not None:
            note(folder, "learned", steps=last.step, loss=last.loss, seconds=last.seconds)
    except NotFinite as error:  # what was learned until then still answers; each process names its own tasks
        note(folder, "not finite", why=str(error))
    with learner.ema.applied(learner.model):
        _predict(job, folder, learner.model, learner.rows.table, learner.views, learner.dtype, accelerator)


def _as_released(release: Release, tasks: TaskSet):
    views = named_views(tuple(tasks), release.row_names)
    return release.model(), release.rows_named(list(views.names())), views


def _predict(job: Job, folder: Path, model: TinyRecursiveModel, rows, views: Views, dtype, accelerator) -> None:
    """Answer this process's share of the batches, and write each candidate down as it comes."""
    model.eval()
    questions = all_questions(views, job.solving.views)
    mine, others = accelerator.process_index, accelerator.num_processes
    seconds_per_view, asked = 0.0, 0
    bar = tqdm(
        total=len(questions), desc="answering", unit="view", disable=None if accelerator.is_main_process else True
    )
    with open(folder / f"candidates-{mine}.jsonl", "a") as file:
        for number, batch in enumerate(batches(questions, job.solving.batch)):
            bar.update(len(batch))
            if number % others != mine:
                continue
            if not job.deadline.fits(1.5 * seconds_per_view * len(batch)):
                break
            began = time.monotonic()
            for candidate in answer(model, rows, views, batch, dtype):
                file.write(candidate_line(candidate))
            file.flush()
            seconds_per_view, asked = (time.monotonic() - began) / len(batch), asked + len(batch)
    bar.close()
    note(folder, "answered", process=mine, views=asked, of=len(questions))


def _end_with_parent() -> None:
    """End when the parent does, however it does: its end of our standard input closes then."""

    def watch() -> None:
        while os.read(0, 1):  # not sys.stdin, whose lock would be held at our own end
            pass
        os._exit(3)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    folder = Path(sys.argv[1])
    _end_with_parent()
    try:
        work(folder)
    except InputError as error:
        note(folder, "refused", why=str(error))
        sys.exit(2)


if __name__ == "__main__":
    main()
