"""What is learned: the right token in every labelled cell, and knowing when the whole answer is right."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORED = -100
"""The label of a cell that carries no loss."""


def log_stablemax(logits: Tensor) -> Tensor:
    """log(s(x) / Σ s(x)) over the last dimension, with s(x) = x + 1 for x ≥ 0 and 1 / (1 − x) below.

    log s(x) = sign(x) · log1p(|x|) needs no float64, which the reference uses and which is slow on most GPUs.
    """
    sign = torch.where(logits >= 0, 1.0, -1.0)  # not torch's sign and abs, which have no gradient at 0; s has slope 1
    log_s = sign * torch.log1p(sign * logits)
    return log_s - torch.logsumexp(log_s, dim=-1, keepdim=True)


def stablemax_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy a cell, 0 where the label is IGNORED: (…, V), (…) → (…)."""
    kept = labels != IGNORED
    log_p = log_stablemax(logits.float())
    picked = log_p.gather(-1, labels.where(kept, 0).long().unsqueeze(-1)).squeeze(-1)
    return -picked.where(kept, 0.0)


@dataclass(frozen=True)
class Losses:
    """One supervision step's losses and how right it was, (B,) each.

    Attributes:
        answer, halting: the two losses. exact: bool, whether the whole answer is right. cells: the part of the
            labelled cells that is.
    """

    answer: Tensor
    halting: Tensor
    exact: Tensor
    cells: Tensor

    @property
    def total(self) -> Tensor:
        return self.answer + 0.5 * self.halting


def supervision_losses(logits: Tensor, q: Tensor, labels: Tensor) -> Losses:
    """The losses of each sample, to be summed and divided by the global batch.

    Args:
        logits: (B, cells, V). q: (B,). labels: (B, cells), IGNORED where a cell carries no loss.
    """
    kept = labels != IGNORED
    labelled = kept.sum(-1).clamp(min=1)
    answer = stablemax_cross_entropy(logits, labels).sum(-1) / labelled
    right = (logits.argmax(-1) == labels) & kept
    exact = (right == kept).all(-1) & kept.any(-1)
    halting = F.binary_cross_entropy_with_logits(q.float(), exact.float(), reduction="none")
    return Losses(answer, halting, exact, right.sum(-1) / labelled)
