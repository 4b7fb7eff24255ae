"""The reference's known faults, one test each, where no other file has it.

Elsewhere: votes of earlier checkpoints, empty grids, missing predictions, filler outputs (answers/); no resume
(training/test_train.py); rows of other tasks, compiled keys, n and T forgotten (model/); generators (data/).
"""

import os
import subprocess
import sys

import pytest

from arckit.config import ModelConfig, TrainingConfig
from arckit.data.corpus import load
from arckit.errors import InputError
from arckit.recipes import smoke
from arckit.training.train import train


def test_evaluation_in_one_process_needs_no_process_group(tmp_path):
    from arckit.answers.deadline import Deadline
    from arckit.solving.solve import solve

    tasks = load("starter/evaluation")[:1]
    environment = {name for name in os.environ if name in ("RANK", "WORLD_SIZE", "MASTER_ADDR")}
    assert not environment
    solved = solve(tasks, tmp_path / "submission.json", smoke(), Deadline.after(60), steps=1)
    assert solved.failed == ""
    assert [event["event"] for event in solved.events] == ["learning", "learned", "answered"]


def test_a_broken_data_set_is_an_error_at_once_and_not_a_run_without_evaluation(tmp_path):
    broken = tmp_path / "arc-agi_training_challenges.json"
    broken.write_text('{"00000001": {"train": [], "test": []}}')
    command = [sys.executable, "-m", "arckit", "train", "--recipe", "smoke", "--data", str(broken)]
    run = subprocess.run([*command, "--out", str(tmp_path / "run"), "--steps", "1"], capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr == f'arckit: {broken}: task 00000001: "train" is empty, expected at least one pair\n'
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("kind", "option"),
    [
        (ModelConfig, {"D_emb": 0}),
        (ModelConfig, {"mixing": "none"}),
        (TrainingConfig, {"loss": "softmax"}),
        (TrainingConfig, {"freeze_weights": True}),
        (TrainingConfig, {"continue_loss": True}),
    ],
)
def test_an_option_that_cannot_run_does_not_exist(kind, option):
    with pytest.raises((InputError, TypeError)):
        kind(**option)


def test_a_grid_that_does_not_fit_is_said_before_the_first_step(tmp_path):
    import numpy as np

    from arckit.data.task import Pair, Task, TaskSet

    large = np.ones((9, 3), np.uint8)
    tasks = TaskSet((Task("abcdef01", (Pair(large, large),), (Pair(large),)),))
    with pytest.raises(InputError, match="task abcdef01: a grid of 9×3 does not fit on a canvas of 6×6"):
        train(tasks, smoke(), tmp_path, steps=1)
