"""Embedding rows: one a view (the reference says "puzzle embedding"), and the sign-SGD that moves them."""

import torch
from torch import Tensor


class EmbeddingRows:
    """A table of rows that is neither parameter nor buffer: rows go into the model, gradients come back.

    Only the rows of a batch are ever touched; there is no second table for gradients or averages.

    Args:
        table: (R, D_emb) float32; taken over, not copied.
    """

    def __init__(self, table: Tensor):
        self.table = table

    def look_up(self, indices: Tensor) -> Tensor:
        """The rows (B, D_emb) at these indices (B,), as a leaf that gathers a gradient."""
        return self.table[indices].requires_grad_()

    @torch.no_grad()
    def step(self, indices: Tensor, gradients: Tensor, lr: Tensor, weight_decay: float, finite: Tensor) -> None:
        """row ← row · (1 − lr · weight_decay) − lr · sign(Σ gradients of that row), for the rows of this batch.

        Args:
            indices: (B,) of all processes; a row that occurs more than once sums its gradients first.
            gradients: (B, D_emb), in the same order. lr: scalar tensor.
            finite: scalar bool tensor; where False nothing moves.
        """
        # Equal rows are summed by sorting, not by `unique`, which has to ask the device for a size.
        ordered, order = torch.sort(indices, stable=True)
        group = torch.cat([ordered.new_zeros(1), (ordered[1:] != ordered[:-1]).cumsum(0)])
        sums = torch.zeros_like(gradients).index_add_(0, group, gradients[order])[group]  # (B, D_emb)
        old = self.table[ordered]
        new = old * (1 - lr * weight_decay) - lr * torch.sign(sums)
        # Every occurrence of a row writes the same numbers, so the order of writing does not matter.
        self.table[ordered] = torch.where(finite, new, old)
