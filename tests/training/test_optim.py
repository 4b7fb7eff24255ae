"""AdamATan2 against its formula, and what a skipped step leaves as it was."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from arckit.training.optim import AdamATan2, warm_up

YES, NO = torch.tensor(True), torch.tensor(False)
LR, BETAS, DECAY = 0.01, (0.9, 0.95), 0.1
SHAPES = ((3, 4), (5,), ())


def parameters(seed: int = 0) -> list[nn.Parameter]:
    rng = np.random.default_rng(seed)
    return [nn.Parameter(torch.tensor(rng.normal(size=shape), dtype=torch.float32)) for shape in SHAPES]


def gradients(step: int) -> list[np.ndarray]:
    """Of all sizes, for the update has to be the same at any scale; some are 0."""
    rng = np.random.default_rng([7, step])
    drawn = [rng.normal(size=shape) * 10.0 ** rng.integers(-6, 4, shape) for shape in SHAPES]
    drawn[0][1, 2] = 0
    return drawn


def give(of: list[nn.Parameter], values) -> None:
    for parameter, value in zip(of, values, strict=True):
        parameter.grad = torch.tensor(value, dtype=torch.float32)


def t(number: float) -> torch.Tensor:
    return torch.tensor(float(number))


def snapshot(optimizer: AdamATan2) -> list[torch.Tensor]:
    ours = optimizer.parameters()
    return [tensor.detach().clone() for p in ours for tensor in (p, *optimizer.state[p].values())]


@pytest.mark.parametrize("warm", [1.0, 0.3])
@pytest.mark.parametrize(("betas", "decay"), [((0.9, 0.95), 0.1), ((0.9, 0.999), 0.0), ((0.5, 0.8), 1.0)])
def test_five_steps_equal_the_formula_in_float64(betas, decay, warm):
    ours = parameters()
    optimizer = AdamATan2(ours, LR, betas, decay)
    theta = [p.detach().double().numpy().copy() for p in ours]
    m, v = ([np.zeros(shape) for shape in SHAPES] for _ in range(2))
    (beta1, beta2), lr = betas, LR * warm
    for count in range(1, 6):
        give(ours, gradients(count))
        optimizer.step(t(count), t(warm), YES)
        for i, g in enumerate(gradients(count)):
            m[i] = beta1 * m[i] + (1 - beta1) * g
            v[i] = beta2 * v[i] + (1 - beta2) * g**2
            theta[i] = theta[i] * (1 - lr * decay)
            theta[i] = theta[i] - lr / (1 - beta1**count) * np.arctan2(m[i], np.sqrt(v[i]) / np.sqrt(1 - beta2**count))
        for parameter, expected in zip(ours, theta, strict=True):
            np.testing.assert_allclose(parameter.detach().numpy(), expected, rtol=1e-5, atol=1e-7)


def test_the_first_step_moves_by_the_arc_tangent_of_one_without_a_factor():
    """The adam-atan2 package would multiply by 1.27. At t = 1, m / (1 − β₁) = g and √v / √(1 − β₂) = |g|."""
    (parameter,) = ours = [nn.Parameter(torch.zeros(1))]
    give(ours, [np.array([123.0])])
    AdamATan2(ours, LR, BETAS, 0.0).step(t(1), t(1), YES)
    assert parameter.item() == pytest.approx(-LR * math.atan2(0.1, 1) / 0.1, rel=1e-5)


def test_the_scale_of_the_loss_does_not_matter():
    results = []
    for scale in (1.0, 2.0**20):
        ours = parameters()
        optimizer = AdamATan2(ours, LR, BETAS, DECAY)
        for count in range(1, 4):
            give(ours, [g * scale for g in gradients(count)])
            optimizer.step(t(count), t(1), YES)
        results.append(torch.cat([p.detach().flatten() for p in ours]))
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-7)


def test_where_there_is_no_gradient_only_the_decay_moves_and_nothing_divides_by_zero():
    (parameter,) = ours = [nn.Parameter(torch.ones(3))]
    give(ours, [np.zeros(3)])
    AdamATan2(ours, LR, BETAS, DECAY).step(t(1), t(1), YES)
    torch.testing.assert_close(parameter.detach(), torch.full((3,), 1 - LR * DECAY))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_skipped_step_moves_neither_weights_nor_moments_bit_for_bit(bad):
    ours = parameters()
    optimizer = AdamATan2(ours, LR, BETAS, DECAY)
    give(ours, gradients(1))
    optimizer.step(t(1), t(1), YES)
    before = snapshot(optimizer)
    give(ours, [np.full(shape, bad) for shape in SHAPES])
    optimizer.step(t(2), t(1), NO)
    assert len(before) == 3 * len(SHAPES)
    for one, two in zip(before, snapshot(optimizer), strict=True):
        assert torch.equal(one, two)


def test_a_skipped_step_is_as_if_it_had_never_been():
    results = []
    for skip in (False, True):
        ours = parameters()
        optimizer = AdamATan2(ours, LR, BETAS, DECAY)
        for count in range(1, 4):
            if skip and count == 2:
                give(ours, [np.full(shape, math.nan) for shape in SHAPES])
                optimizer.step(t(count), t(1), NO)
            give(ours, gradients(count))
            optimizer.step(t(count), t(1), YES)
        results.append(snapshot(optimizer))
    assert all(torch.equal(one, two) for one, two in zip(*results, strict=True))


def test_moments_begin_at_zero_and_are_there_from_the_start():
    """A checkpoint before the first step has them too, and so does every process."""
    optimizer = AdamATan2(parameters(), LR, BETAS, DECAY)
    for parameter in optimizer.parameters():
        state = optimizer.state[parameter]
        assert set(state) == {"mean", "square"}
        assert all((moment == 0).all() and moment.shape == parameter.shape for moment in state.values())


def test_an_optimiser_read_back_goes_on_as_if_nothing_had_happened():
    def run(of, optimizer, counts):
        for count in counts:
            give(of, gradients(count))
            optimizer.step(t(count), t(1), YES)

    ours = parameters()
    optimizer = AdamATan2(ours, LR, BETAS, DECAY)
    run(ours, optimizer, (1, 2))
    saved, weights = optimizer.state_dict(), [p.detach().clone() for p in ours]
    again = [nn.Parameter(weight) for weight in weights]
    other = AdamATan2(again, 99.0, (0.1, 0.2), 0.0)
    other.load_state_dict(
        {**saved, "state": {k: {n: s.clone() for n, s in v.items()} for k, v in saved["state"].items()}}
    )
    run(ours, optimizer, (3, 4))
    run(again, other, (3, 4))
    assert all(torch.equal(one, two) for one, two in zip(snapshot(optimizer), snapshot(other), strict=True))


@pytest.mark.parametrize(
    ("update", "steps", "part"),
    [(1, 2000, 1 / 2000), (2, 4, 0.5), (1000, 2000, 0.5), (2000, 2000, 1), (2001, 2000, 1), (10**6, 2000, 1)],
)
def test_warm_up_is_linear_from_the_first_update_and_then_one(update, steps, part):
    assert warm_up(t(update), steps).item() == pytest.approx(part)


@pytest.mark.parametrize("steps", [0, 1])
def test_without_warm_up_the_first_update_has_the_full_rate(steps):
    assert warm_up(t(1), steps).item() == 1
