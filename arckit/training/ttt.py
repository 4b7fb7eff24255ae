"""Test-time training: the same loop on the demonstrations of the tasks to be solved, with rows of their own."""

from collections.abc import Sequence

import torch
from accelerate import Accelerator

from arckit.config import ModelConfig, TrainingConfig
from arckit.data.task import Task
from arckit.data.view import draw_views
from arckit.model.release import Release
from arckit.model.trm import TinyRecursiveModel
from arckit.training.learner import Learner


def learner_for(
    tasks: Sequence[Task], start: Release | ModelConfig, config: TrainingConfig, accelerator: Accelerator
) -> Learner:
    """A learner of the tasks' known pairs, with a row for every view.

    From a release every weight goes on learning; rows go on where the release knows the view by name, and begin
    at its mean row where it does not. From a configuration everything begins anew, rows at zero.
    """
    views = draw_views(tasks, config.views, config.seed)
    if isinstance(start, Release):
        return Learner(start.model(), start.rows_begun(list(views.names())), views, config, accelerator)
    rows = torch.zeros(len(views), start.D_emb)
    return Learner(TinyRecursiveModel(start, config.seed), rows, views, config, accelerator)
