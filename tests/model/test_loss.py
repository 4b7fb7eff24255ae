"""Stablemax, and a sample's two losses."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from arckit.model.loss import IGNORED, log_stablemax, stablemax_cross_entropy, supervision_losses


def direct(logits: torch.Tensor) -> torch.Tensor:
    """The formula as it is published: log(s(x) / Σ s(x)), s(x) = x + 1 or 1 / (1 − x), in float64."""
    x = logits.double()
    s = torch.where(x >= 0, x + 1, 1 / (1 - x))
    return torch.log(s / s.sum(-1, keepdim=True))


@pytest.mark.parametrize("scale", [1e-4, 1.0, 100.0, 1e4])
def test_stablemax_in_float32_is_finite_and_equals_the_formula_in_float64(scale):
    logits = (2 * torch.rand(500, 12, generator=torch.Generator().manual_seed(0)) - 1) * scale
    logits[0, :2] = torch.tensor([scale, -scale])
    found = log_stablemax(logits)
    assert found.dtype == torch.float32
    assert found.isfinite().all()
    torch.testing.assert_close(found.double(), direct(logits), atol=1e-5, rtol=1e-5)


def test_stablemax_is_a_distribution_that_keeps_the_order_of_the_logits():
    logits = torch.randn(50, 12, generator=torch.Generator().manual_seed(0)) * 5
    p = log_stablemax(logits).exp()
    torch.testing.assert_close(p.sum(-1), torch.ones(50))
    assert torch.equal(p.argsort(-1), logits.argsort(-1))
    torch.testing.assert_close(log_stablemax(torch.zeros(12)), torch.full((12,), -math.log(12)))


@pytest.mark.parametrize("at", [0.0, -0.0, 1e-6, -1e-6, 0.5, -0.5, 1e4, -1e4])
def test_stablemax_has_the_formulas_gradient_everywhere_also_at_zero(at):
    """|x| and sign(x) have none of their own at 0, s(x) has slope 1 there from both sides."""
    gradients = []
    for function, dtype in ((log_stablemax, torch.float32), (direct, torch.float64)):
        logits = torch.tensor([at, 0.3, -0.7], dtype=dtype, requires_grad=True)
        function(logits)[0].backward()
        assert logits.grad is not None
        gradients.append(logits.grad.double())
    torch.testing.assert_close(*gradients, atol=1e-6, rtol=1e-4)


def test_cross_entropy_is_minus_the_log_of_the_labels_part_and_zero_where_ignored():
    logits = torch.randn(2, 5, 12, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([[3, 0, 11, IGNORED, 1], [IGNORED, 2, IGNORED, 2, 2]])
    losses = stablemax_cross_entropy(logits, labels)
    for index in np.ndindex(2, 5):
        label = int(labels[index])
        expected = 0.0 if label == IGNORED else -direct(logits[index])[label].item()
        assert losses[index].item() == pytest.approx(expected, abs=1e-5)


def test_low_precision_logits_are_taken_up_to_float32_first():
    logits = torch.randn(3, 12, generator=torch.Generator().manual_seed(0)).bfloat16()
    losses = stablemax_cross_entropy(logits, torch.tensor([1, 2, 3]))
    assert losses.dtype == torch.float32
    assert torch.equal(losses, stablemax_cross_entropy(logits.float(), torch.tensor([1, 2, 3])))


# --- a sample -------------------------------------------------------------------------------------------------------


def one_hot(tokens: torch.Tensor) -> torch.Tensor:
    return F.one_hot(tokens, 12).float()


LABELS = torch.tensor([[2, 3, IGNORED, 1], [2, 3, 4, 1], [IGNORED, 5, IGNORED, IGNORED], [2, 2, 2, 2]])
ANSWERS = torch.tensor([[2, 3, 9, 1], [2, 3, 4, 0], [7, 5, 7, 7], [3, 3, 3, 3]])
EXACT = [True, False, True, False]


def test_an_answer_is_exact_when_every_labelled_cell_is_right_whatever_the_others_hold():
    losses = supervision_losses(one_hot(ANSWERS), torch.zeros(4), LABELS)
    assert losses.exact.tolist() == EXACT
    assert losses.exact.dtype == torch.bool


def test_the_answer_loss_is_the_mean_over_the_labelled_cells_of_the_sample():
    logits = torch.randn(4, 4, 12, generator=torch.Generator().manual_seed(0))
    found = supervision_losses(logits, torch.zeros(4), LABELS).answer
    for b in range(4):
        cells = [-direct(logits[b, i])[int(LABELS[b, i])].item() for i in range(4) if LABELS[b, i] != IGNORED]
        assert found[b].item() == pytest.approx(sum(cells) / len(cells), abs=1e-5)


def test_the_halting_loss_asks_q_whether_the_whole_answer_is_right():
    q = torch.tensor([2.0, 2.0, -3.0, -3.0])
    found = supervision_losses(one_hot(ANSWERS), q, LABELS).halting
    expected = [math.log1p(math.exp(-x if right else x)) for x, right in zip(q.tolist(), EXACT, strict=True)]
    assert found.tolist() == pytest.approx(expected, abs=1e-6)


def test_the_whole_loss_is_the_answers_and_half_of_haltings():
    losses = supervision_losses(torch.randn(4, 4, 12), torch.randn(4), LABELS)
    torch.testing.assert_close(losses.total, losses.answer + losses.halting / 2)


def test_a_sample_that_is_ignored_everywhere_has_no_answer_loss_and_is_never_exact():
    labels = torch.full((2, 4), IGNORED)
    labels[1] = 2
    logits = one_hot(torch.full((2, 4), 2)).requires_grad_()
    losses = supervision_losses(logits, torch.tensor([-5.0, -5.0]), labels)
    assert losses.answer[0] == 0
    assert losses.exact.tolist() == [False, True]
    losses.total.sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert (logits.grad[0] == 0).all()
    assert (logits.grad[1] != 0).any()


def test_an_ignored_cell_has_no_gradient():
    logits = torch.randn(4, 4, 12, generator=torch.Generator().manual_seed(0), requires_grad=True)
    supervision_losses(logits, torch.zeros(4), LABELS).total.sum().backward()
    assert logits.grad is not None
    moved = (logits.grad != 0).any(-1)
    assert torch.equal(moved, LABELS != IGNORED)


def test_a_samples_loss_does_not_depend_on_the_batch_it_is_in():
    logits, q = torch.randn(4, 4, 12), torch.randn(4)
    whole = supervision_losses(logits, q, LABELS)
    alone = [supervision_losses(logits[b : b + 1], q[b : b + 1], LABELS[b : b + 1]).total for b in range(4)]
    torch.testing.assert_close(torch.cat(alone), whole.total)


def test_a_confident_q_and_huge_logits_stay_finite():
    logits = one_hot(ANSWERS) * 1e4
    losses = supervision_losses(logits, torch.tensor([200.0, 200.0, -200.0, -200.0]), LABELS)
    assert losses.total.isfinite().all()
    assert losses.halting.tolist() == pytest.approx([0, 200, 200, 0])
