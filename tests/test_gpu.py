"""On a CUDA device: `pytest -m gpu -s` there. Skipped, saying so, where there is none."""

import dataclasses
import time

import pytest
import torch

from arckit.config import ModelConfig
from arckit.data.corpus import load
from arckit.data.view import draw_views
from arckit.model.trm import TinyRecursiveModel
from arckit.recipes import arc1, smoke
from arckit.training.learner import Learner, compute_dtype
from arckit.training.train import make_accelerator

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

PUBLISHED = ModelConfig(n=4)


def make_learner(model: ModelConfig, **changes) -> Learner:
    config = dataclasses.replace(arc1().training, **changes)
    views = draw_views(tuple(load("starter/training")), config.views, config.seed)
    rows = torch.zeros(len(views), model.D_emb)
    return Learner(TinyRecursiveModel(model), rows, views, config, make_accelerator())


def test_the_model_on_the_device_agrees_with_float32_on_the_cpu():
    model = TinyRecursiveModel(PUBLISHED)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randint(0, 12, (2, 900), generator=generator)
    rows = torch.randn(2, PUBLISHED.D_emb, generator=generator)
    with torch.no_grad():
        (y, z), logits, q = model(inputs, rows, model.initial_state(2))
        device = torch.device("cuda")
        model.to(device)
        for dtype, tolerance in ((torch.float32, 1e-2), (compute_dtype("auto", device), 0.1)):
            state = model.initial_state(2, dtype=dtype)
            state, ours, ours_q = model(inputs.to(device), rows.to(device), state)
            for name, a, b in (("y", state[0], y), ("z", state[1], z), ("logits", ours, logits), ("q", ours_q, q)):
                error = (a.float().cpu() - b).norm() / b.norm()
                print(f"{dtype}: {name} off by {error:.2e}")
                assert error < tolerance, (dtype, name)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_step_never_waits_for_the_device(precision):
    learner = make_learner(smoke().model, batch=16, views=8, precision=precision)
    for _ in range(3):
        learner.step()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(20):
            learner.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    learner.finish()


def test_an_overflow_in_float16_skips_trunk_rows_averages_and_schedule_together():
    learner = make_learner(smoke().model, batch=16, views=8, precision="float16", warmup=0)
    for _ in range(4):
        learner.step()
    learner.finish()
    learner.scaler.load_state_dict(learner.scaler.state_dict() | {"scale": 1e37})
    before = [p.detach().clone() for p in learner.model.parameters()]
    rows, average = learner.rows.table.clone(), {k: v.clone() for k, v in learner.ema.average.items()}
    updates = learner.updates.item()
    learner.step()
    assert all(torch.equal(a, b) for a, b in zip(before, learner.model.parameters(), strict=True))
    assert torch.equal(rows, learner.rows.table)
    assert all(torch.equal(average[name], learner.ema.average[name]) for name in average)
    assert learner.updates.item() == updates


def test_a_training_minute_at_the_published_size(capsys):
    learner = make_learner(PUBLISHED, batch=128, views=128)
    for _ in range(3):
        learner.step()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    began, steps = time.monotonic(), 0
    while time.monotonic() - began < 60:
        learner.step()
        steps += 1
    records = [heard.record for heard in learner.finish()]
    torch.cuda.synchronize()
    rate = steps * learner.config.batch / (time.monotonic() - began)
    memory = torch.cuda.max_memory_allocated() / 2**30
    with capsys.disabled():
        print(f"\n{torch.cuda.get_device_name()}: {rate:.0f} examples/s, peak {memory:.1f} GiB, {learner.dtype}")
    assert records[-1].loss == records[-1].loss
    assert steps > 0
