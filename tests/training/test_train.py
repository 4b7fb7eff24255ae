"""The learner and the loop: what is lost by crashes, other numbers of processes and numbers that are none: nothing."""

import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from arckit.answers.deadline import Deadline
from arckit.data.corpus import load
from arckit.data.view import draw_views
from arckit.errors import InputError, NotFinite
from arckit.model.release import load_release
from arckit.model.trm import TinyRecursiveModel
from arckit.recipes import smoke
from arckit.training.checkpoint import load_checkpoint
from arckit.training.learner import Learner, compute_dtype
from arckit.training.train import make_accelerator, run, train

TASKS = load("starter/training")[:6]


def make_learner(**changes) -> Learner:
    recipe = smoke()
    config = dataclasses.replace(recipe.training, **changes)
    views = draw_views(tuple(TASKS), config.views, config.seed)
    rows = torch.zeros(len(views), recipe.model.D_emb)
    return Learner(TinyRecursiveModel(recipe.model), rows, views, config, make_accelerator())


def metrics(folder: Path) -> list[dict]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def same(a, b, where="") -> None:
    """Assert that two nested states agree bit for bit, but for the time they took."""
    assert type(a) is type(b), where
    if isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a.keys() - {"seconds"}:
            same(a[key], b[key], f"{where}/{key}")
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), where
        for index, (one, other) in enumerate(zip(a, b, strict=True)):
            same(one, other, f"{where}/{index}")
    else:
        assert a == b, where


def snapshot(learner: Learner) -> dict:
    """Copies of everything that a step moves; a broken row's nan as 7, so that it equals itself."""
    return {
        "model": {name: tensor.clone() for name, tensor in learner.model.state_dict().items()},
        "ema": {name: tensor.clone() for name, tensor in learner.ema.average.items()},
        "rows": learner.rows.table.nan_to_num(7.0),
        "updates": learner.updates.clone(),
        "moments": [state["mean"].clone() for state in learner.optimizer.state.values()],
    }


def test_loss_falls(tmp_path):
    last = run(make_learner(), tmp_path, 40, Deadline.never())
    lines = metrics(tmp_path)
    assert [line["step"] for line in lines] == list(range(1, 41))
    assert last is not None
    assert last.loss == lines[-1]["loss"]
    assert sum(line["loss"] for line in lines[-5:]) < 0.8 * sum(line["loss"] for line in lines[:5])


def test_a_run_killed_before_its_first_checkpoint_leaves_no_steps_behind_in_the_next(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo')
    train(TASKS, smoke(), tmp_path, steps=3)
    assert [line["step"] for line in metrics(tmp_path)] == [1, 2, 3]


def test_a_tracker_that_is_not_there_is_said_before_the_first_step(tmp_path):
    with pytest.raises(InputError, match="tracker 'nothing': unknown or not installed"):
        train(TASKS, smoke(), tmp_path, steps=1, trackers=["nothing"])


def test_tensorboard_gets_the_numbers_of_every_step(tmp_path):
    pytest.importorskip("tensorboard")
    train(TASKS, smoke(), tmp_path, steps=2, trackers=["tensorboard"])
    assert list(tmp_path.rglob("events.out.tfevents.*"))


def test_a_deadline_that_has_passed_costs_no_step(tmp_path):
    assert run(make_learner(), tmp_path, None, Deadline.after(-1)) is None


def test_something_else_in_the_release_s_place_is_said_before_the_first_step(tmp_path):
    (tmp_path / "release").write_text("mine")
    with pytest.raises(InputError, match="something other than a release"):
        train(TASKS, smoke(), tmp_path, steps=1)
    assert not (tmp_path / "metrics.jsonl").exists()


def test_a_resumed_run_differs_in_nothing_from_an_undisturbed_one(tmp_path):
    train(TASKS, smoke(), tmp_path / "whole", steps=13)
    train(TASKS, smoke(), tmp_path / "parts", steps=5)
    with open(tmp_path / "parts" / "metrics.jsonl", "a") as file:
        file.write('{"step": 6, "loss": 9.0}\n{"step": 7, "lo')  # steps after the checkpoint, the last one cut off
    train(TASKS, smoke(), tmp_path / "parts", steps=13)
    same(load_checkpoint(tmp_path / "whole"), load_checkpoint(tmp_path / "parts"))
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "parts")
    whole, parts = load_release(tmp_path / "whole" / "release"), load_release(tmp_path / "parts" / "release")
    same(dict(whole.weights), dict(parts.weights))
    assert whole.rows is not None
    assert parts.rows is not None
    assert torch.equal(whole.rows, parts.rows)
    assert whole.row_names == parts.row_names


def test_another_run_s_folder_is_only_read_when_going_on_from_it(tmp_path):
    train(TASKS, smoke(), tmp_path / "earlier", steps=4)
    before = {file: file.read_bytes() for file in (tmp_path / "earlier").rglob("*") if file.is_file()}
    train(TASKS, smoke(), tmp_path / "later", steps=8, resume_from=tmp_path / "earlier")
    assert [line["step"] for line in metrics(tmp_path / "later")] == list(range(1, 9))
    assert {file: file.read_bytes() for file in (tmp_path / "earlier").rglob("*") if file.is_file()} == before


def test_a_checkpoint_of_another_recipe_or_other_tasks_is_refused(tmp_path):
    train(TASKS, smoke(), tmp_path, steps=2)
    other = dataclasses.replace(smoke(), training=dataclasses.replace(smoke().training, lr=2e-3))
    with pytest.raises(InputError, match="another training"):
        train(TASKS, other, tmp_path, steps=4)
    with pytest.raises(InputError, match="another tasks and views"):
        train(load("starter/training")[6:12], smoke(), tmp_path, steps=4)


def test_a_damaged_checkpoint_is_refused_in_one_line(tmp_path):
    train(TASKS, smoke(), tmp_path, steps=2)
    content = (tmp_path / "checkpoint.pt").read_bytes()
    (tmp_path / "checkpoint.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"checkpoint\.pt: damaged"):
        train(TASKS, smoke(), tmp_path, steps=4)
    with pytest.raises(InputError, match="there is no such checkpoint"):
        train(TASKS, smoke(), tmp_path / "new", steps=4, resume_from=tmp_path / "nowhere")


def test_without_steps_or_time_limit_nothing_begins(tmp_path):
    with pytest.raises(InputError, match="neither steps nor a time limit"):
        train(TASKS, smoke(), tmp_path)


def test_training_ends_by_its_deadline_and_leaves_a_release(tmp_path):
    deadline = Deadline.after(3, reserve=0.5)
    train(TASKS, smoke(), tmp_path, deadline)
    assert time.time() < deadline.end
    assert load_release(tmp_path / "release").about["steps"] == len(metrics(tmp_path)) > 1


def test_a_loss_that_is_not_finite_stops_the_run_names_its_tasks_and_reaches_nothing():
    learner = make_learner()
    run(learner, None, 3, Deadline.never())
    broken = 2
    table = learner.rows.table
    table[learner.views.first[broken] : learner.views.first[broken + 1]] = torch.nan
    kept = snapshot(learner)

    def until_it_sits_down() -> None:
        nonlocal kept
        for _ in range(10 + 3):
            before = learner.updates.item()
            learner.step()
            if learner.updates.item() > before:
                kept = snapshot(learner)

    with pytest.raises(
        NotFinite, match=rf"step \d+: the loss is not finite on tasks {TASKS[broken].id}; nothing of it has"
    ):
        until_it_sits_down()
    same(kept, snapshot(learner))
    assert all(tensor.isfinite().all() for tensor in [*kept["model"].values(), *kept["ema"].values()])


def test_an_overflow_under_loss_scaling_skips_trunk_rows_averages_and_schedule_together():
    learner = make_learner(precision="float16")
    run(learner, None, 4, Deadline.never())
    assert learner.scaler.is_enabled()
    assert learner.updates.item() > 0
    scaled = learner.scaler.state_dict() | {"scale": 1e37}
    learner.scaler.load_state_dict(scaled)
    before = snapshot(learner)
    learner.step()
    same(before, snapshot(learner))
    assert learner.scaler.get_scale() == pytest.approx(5e36)


def test_precision_is_what_the_hardware_really_does(monkeypatch):
    cuda = torch.device("cuda")
    for capability, expected in (((7, 5), torch.float16), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device, c=capability: c)
        assert compute_dtype("auto", cuda) == expected
    assert compute_dtype("auto", torch.device("cpu")) == torch.float32
    assert compute_dtype("bfloat16", torch.device("cpu")) == torch.bfloat16


def arckit_train(out: Path, *arguments: str) -> list[str]:
    here = Path(__file__).parents[2]
    data = here / "arckit" / "data" / "starter" / "arc-agi_training_challenges.json"
    command = [sys.executable, "-m", "arckit", "train", "--recipe", "smoke", "--data", str(data), "--out", str(out)]
    return command + list(arguments)


@pytest.mark.slow
def test_ten_kills_change_no_weight_no_row_and_no_loss(tmp_path):
    steps = "400"
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    whole = arckit_train(tmp_path / "whole", "--steps", steps)
    began = time.monotonic()
    subprocess.run(whole, check=True, env=environment, capture_output=True)
    rng = random.Random(1)
    killed = 0
    for _ in range(10):
        parts = subprocess.Popen(
            arckit_train(tmp_path / "parts", "--steps", steps, "--checkpoint-seconds", "0.3"),
            env=environment,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        known = len((tmp_path / "parts" / "metrics.jsonl").read_text().splitlines()) if killed else 0
        while parts.poll() is None and time.monotonic() - began < 600:
            metrics_file = tmp_path / "parts" / "metrics.jsonl"
            lines = len(metrics_file.read_text().splitlines()) if metrics_file.exists() else 0
            if lines > known:  # it has started to learn; any moment will do from here
                time.sleep(rng.uniform(0.0, 0.6))
                break
            time.sleep(0.01)
        if parts.poll() is None:
            parts.send_signal(signal.SIGKILL)
            killed += 1
        parts.communicate()
    assert killed == 10, "the run ended too soon for ten kills"
    subprocess.run(arckit_train(tmp_path / "parts", "--steps", steps), check=True, env=environment, capture_output=True)
    same(load_checkpoint(tmp_path / "whole"), load_checkpoint(tmp_path / "parts"))
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "parts")


@pytest.mark.slow
def test_ctrl_c_saves_and_the_run_goes_on(tmp_path):
    process = subprocess.Popen(arckit_train(tmp_path, "--steps", "100000"), stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "metrics.jsonl").exists() or not (tmp_path / "metrics.jsonl").read_text().count("\n") > 3:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    done = load_checkpoint(tmp_path)["steps"]
    assert done == len(metrics(tmp_path))
    subprocess.run(arckit_train(tmp_path, "--steps", str(done + 3)), check=True, capture_output=True)
    assert [line["step"] for line in metrics(tmp_path)] == list(range(1, done + 4))


def ten_steps(processes: int, out: Path, reduction: str) -> dict:
    script = str(Path(__file__).with_name("two_processes.py"))
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [sys.executable, *(torchrun if processes > 1 else []), script, str(out), reduction]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180)
    assert ended.returncode == 0, ended.stderr
    return torch.load(out, weights_only=True)


@pytest.mark.slow
def test_two_processes_and_one_see_the_same_examples_and_learn_the_same(tmp_path):
    one = ten_steps(1, tmp_path / "one.pt", "with")
    two = ten_steps(2, tmp_path / "two.pt", "with")
    assert torch.equal(one["seen"], two["seen"])
    assert trunk_distance(one, two) < 1e-5
    touched = one["seen"].unique()
    assert (one["rows"][touched] == two["rows"][touched]).float().mean() >= 0.995
    # The same comparison has to see it when gradients are not summed over the processes.
    apart = ten_steps(2, tmp_path / "apart.pt", "without")
    assert trunk_distance(one, apart) > 1e-5


def trunk_distance(one: dict, other: dict) -> float:
    return max((one["model"][name] - other["model"][name]).abs().max().item() for name in one["model"])


def test_a_folder_that_cannot_be_made_is_said_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        train(TASKS, smoke(), tmp_path / "file" / "run", steps=1)
    shutil.rmtree(tmp_path)
