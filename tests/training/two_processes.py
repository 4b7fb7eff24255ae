"""Run by test_train.py, alone or under torchrun: ten steps of the smoke recipe without warm-up, and what came of it."""

import dataclasses
import sys

import torch

from arckit.data.corpus import load
from arckit.data.view import draw_views
from arckit.model.trm import TinyRecursiveModel
from arckit.recipes import smoke
from arckit.training.learner import Learner
from arckit.training.train import make_accelerator

out, reduction = sys.argv[1:]
recipe = smoke()
config = dataclasses.replace(recipe.training, warmup=0)
views = draw_views(tuple(load("starter/training")), config.views, config.seed)
rows = torch.zeros(len(views), recipe.model.D_emb)
if reduction == "without":
    Learner._reduce = lambda self, sums: sums
learner = Learner(TinyRecursiveModel(recipe.model), rows, views, config, make_accelerator())
assert learner.seats.count * learner.accelerator.num_processes == config.batch
seen = []
for _ in range(10):
    learner.step()
    seen.append(learner._gather(learner.seats.rows))
learner.finish()
if learner.accelerator.is_main_process:
    torch.save({"model": learner.model.state_dict(), "rows": learner.rows.table, "seen": torch.stack(seen)}, out)
learner.accelerator.wait_for_everyone()
learner.accelerator.end_training()
