"""Solving: in time, valid from the first second, and honest about who answered."""

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from arckit.answers.deadline import Deadline
from arckit.answers.submission import build_submission, check_submission, read_submission
from arckit.answers.vote import Ballot
from arckit.data.corpus import STARTER, load
from arckit.data.task import Pair, Task, TaskSet, read_tasks
from arckit.data.view import draw_views
from arckit.errors import InputError
from arckit.model.release import load_release
from arckit.model.trm import TinyRecursiveModel
from arckit.recipes import smoke
from arckit.solving.predict import all_questions, answer, batches
from arckit.solving.solve import solve
from arckit.training.train import train

TASKS = load("starter/evaluation")[:4]


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Path:
    """A release that has learned a little of the tasks themselves, with rows for their views."""
    folder = tmp_path_factory.mktemp("release")
    train(TASKS.without_solutions(), smoke(), folder, steps=3)
    return folder / "release"


def with_votes(recipe, votes: int):
    return dataclasses.replace(recipe, solving=dataclasses.replace(recipe.solving, views=votes))


def test_too_short_a_limit_leaves_the_fallback_and_says_so(tmp_path):
    said = []
    solved = solve(TASKS, tmp_path / "submission.json", smoke(), Deadline.after(0.5), say=said.append)
    assert check_submission(tmp_path / "submission.json", TASKS) == []
    assert any("too short" in line for line in said)
    assert solved.answered == 0
    assert solved.submission == solved.fallback == build_submission(TASKS.without_solutions(), Ballot())


def test_the_model_answers_what_it_can_and_says_how_much(tmp_path):
    out = tmp_path / "submission.json"
    solved = solve(TASKS, out, with_votes(smoke(), 2), Deadline.after(120), steps=20)
    assert check_submission(out, TASKS) == []
    assert json.loads(out.read_text()) == solved.submission
    assert solved.failed == ""
    assert not solved.late
    assert solved.test_inputs == sum(len(task.tests) for task in TASKS)
    assert 0 <= solved.answered <= solved.test_inputs
    assert [event["steps"] for event in solved.events if event["event"] == "learned"] == [20]


def test_test_outputs_are_never_handed_to_the_workers(tmp_path, monkeypatch):
    from arckit.solving import solve as module

    seen = {}

    def look(tasks, out, folder, deadline, processes, fallback, began):
        seen.update(json.loads((folder / "tasks.json").read_text()))
        raise InputError("enough seen")

    monkeypatch.setattr(module, "_follow", look)
    with pytest.raises(InputError, match="enough seen"):
        solve(TASKS, tmp_path / "submission.json", smoke(), Deadline.after(60))
    assert seen.keys() == set(TASKS.ids)
    assert all("output" not in pair for task in seen.values() for pair in task["test"])


def test_a_release_without_rows_for_the_tasks_cannot_answer_unlearned(tmp_path, release):
    other = load("starter/training")[:2]
    with pytest.raises(InputError, match=f"no embedding row for 2 of 2 tasks: {other.ids[0]}"):
        solve(other, tmp_path / "submission.json", smoke(), Deadline.after(60), release, learn=False)
    assert check_submission(tmp_path / "submission.json", other) == []


def test_a_release_with_rows_answers_as_it_is(tmp_path, release):
    solved = solve(TASKS, tmp_path / "submission.json", smoke(), Deadline.after(60), release, learn=False)
    assert [event["event"] for event in solved.events] == ["answered"]
    assert solved.events[0]["views"] == solved.events[0]["of"]


@pytest.mark.parametrize("file", ["weights.safetensors", "config.json", "rows.txt"])
def test_a_damaged_release_is_refused_and_the_submission_is_valid(tmp_path, release, file):
    broken = tmp_path / "broken"
    broken.mkdir()
    for source in release.iterdir():
        content = source.read_bytes()
        (broken / source.name).write_bytes(content[: len(content) // 2] if source.name == file else content)
    with pytest.raises(InputError, match=r"broken|release"):
        solve(TASKS, tmp_path / "submission.json", smoke(), Deadline.after(60), broken)
    assert check_submission(tmp_path / "submission.json", TASKS) == []


def test_a_task_larger_than_the_model_s_canvas_is_that_task_s_failure_alone(tmp_path, release):
    large = Task(
        "abcdef01", (Pair(np.ones((9, 9), np.uint8), np.ones((2, 2), np.uint8)),), (Pair(np.ones((3, 3), np.uint8)),)
    )
    tasks = TaskSet((*TASKS, large))
    solved = solve(tasks, tmp_path / "submission.json", with_votes(smoke(), 1), Deadline.after(60), release, steps=1)
    assert check_submission(tmp_path / "submission.json", tasks) == []
    left_out = [event for event in solved.events if event["event"] == "left out"]
    assert [event["tasks"] for event in left_out] == [["abcdef01"]]
    assert "canvas of side 6" in left_out[0]["why"]


def test_every_input_is_asked_once_before_any_is_asked_twice_small_ones_first():
    views = draw_views(tuple(TASKS), 3, 0)
    questions = all_questions(views, 3)
    inputs = sum(len(task.tests) for task in TASKS)
    first = [(q.task, q.test) for q in questions[:inputs]]
    assert len(set(first)) == inputs
    assert first == [(q.task, q.test) for q in questions[inputs : 2 * inputs]]
    sizes = [TASKS[task].tests[test].input.size for task, test in first]
    assert sizes == sorted(sizes)
    assert [len(batch) for batch in batches(questions, 4)][:4] == [1, 2, 4, 4]
    assert [q for batch in batches(questions, 8) for q in batch] == questions


def test_a_prediction_without_a_grid_is_no_candidate():
    views = draw_views(tuple(TASKS), 2, 0)
    model = TinyRecursiveModel(smoke().model)
    with torch.no_grad():
        model.output_head.weight.zero_()  # every cell a PAD: the first token of equals
    rows = torch.zeros(len(views), smoke().model.D_emb)
    assert answer(model, rows, views, all_questions(views, 2), torch.float32) == []


def test_a_candidate_is_turned_back_into_the_task_s_own_colours_and_directions(release):
    views = draw_views(tuple(TASKS), 4, 0)
    question = all_questions(views, 4)[-1]
    loaded = load_release(release)
    rows = loaded.rows_begun(list(views.names()))
    model = loaded.model()
    found = answer(model, rows, views, [question], torch.float32)
    for candidate in found:
        assert candidate.view == views.name(question.row)
        assert candidate.task_id == TASKS[question.task].id


def arckit_solve(out: Path, *arguments: str) -> list[str]:
    challenges = STARTER / "arc-agi_evaluation_challenges.json"
    command = [sys.executable, "-m", "arckit", "solve", "--recipe", "smoke", "--challenges", str(challenges)]
    return [*command, "--out", str(out), *arguments]


@pytest.mark.slow
def test_killed_at_ten_random_moments_solve_leaves_a_valid_submission_and_no_worker(tmp_path):
    tasks, out = load("starter/evaluation"), tmp_path / "submission.json"
    rng = random.Random(2)
    for _ in range(10):
        out.unlink(missing_ok=True)
        process = subprocess.Popen(
            arckit_solve(out, "--time-limit", "25"), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        began = time.monotonic()
        while not out.exists():
            assert process.poll() is None
            assert time.monotonic() - began < 20
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 18))
        workers = _children(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert check_submission(out, tasks) == []
        _wait_until_gone(workers)


def _children(pid: int) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def _wait_until_gone(pids: list[int]) -> None:
    import psutil

    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=10)
    assert not alive, "workers outlived their parent"


@pytest.mark.slow
def test_the_time_limit_counts_from_the_start_of_the_process_and_is_kept(tmp_path):
    for limit in (4, 15, 30):
        out = tmp_path / f"{limit}.json"
        began = time.monotonic()
        run = subprocess.run(arckit_solve(out, "--time-limit", str(limit)), capture_output=True, text=True, check=True)
        assert time.monotonic() - began < limit
        assert check_submission(out, load("starter/evaluation")) == []
        assert "answered by the model" in run.stdout


@pytest.mark.slow
def test_ctrl_c_ends_solving_in_one_line_and_leaves_a_valid_submission_and_no_worker(tmp_path):
    out = tmp_path / "submission.json"
    process = subprocess.Popen(arckit_solve(out, "--time-limit", "60"), stderr=subprocess.PIPE, text=True)
    while not out.exists():
        time.sleep(0.01)
    time.sleep(3)
    workers = _children(process.pid)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors.endswith("arckit: interrupted; every file written so far is whole\n")
    assert "Traceback" not in errors
    assert check_submission(out, load("starter/evaluation")) == []
    _wait_until_gone(workers)


@pytest.mark.slow
def test_two_processes_and_one_give_the_same_submission(tmp_path):
    train(load("starter/evaluation").without_solutions(), smoke(), tmp_path, steps=30)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    submissions = []
    for processes in ("1", "2"):
        out = tmp_path / f"{processes}.json"
        arguments = (
            "--release",
            str(tmp_path / "release"),
            "--no-learn",
            "--time-limit",
            "120",
            "--processes",
            processes,
        )
        subprocess.run(arckit_solve(out, *arguments), check=True, env=environment, capture_output=True)
        submissions.append(read_submission(out))
    assert submissions[0] == submissions[1]
    assert submissions[0] != build_submission(load("starter/evaluation"), Ballot())


@pytest.mark.slow
@pytest.mark.parametrize("split", ["arc-agi-1/arc-agi_evaluation", "arc-prize-2025/arc-agi_evaluation"])
def test_real_tasks_are_answered_in_time(tmp_path, arc_data, split):
    challenges, out = arc_data / f"{split}_challenges.json", tmp_path / "submission.json"
    command = [sys.executable, "-m", "arckit", "solve", "--challenges", str(challenges), "--out", str(out)]
    began = time.monotonic()
    run = subprocess.run([*command, "--time-limit", "60"], capture_output=True, text=True, check=True)
    assert time.monotonic() - began < 60
    assert check_submission(out, read_tasks(challenges)) == []
    assert "answered by the model" in run.stdout


def test_an_unwritable_place_is_said_before_anything_is_spent(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        solve(TASKS, tmp_path / "nowhere" / "submission.json", smoke(), Deadline.after(60))
    with pytest.raises(InputError, match="neither steps nor a time limit"):
        solve(TASKS, tmp_path / "submission.json", smoke(), Deadline.never())
    with pytest.raises(InputError, match="there has to be a release"):
        solve(TASKS, tmp_path / "submission.json", smoke(), Deadline.after(60), learn=False)
