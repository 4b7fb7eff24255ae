"""Averaged weights, which answer better than the last ones. Of the trunk only: no table is ever copied."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class EMA:
    """average ← decay · average + (1 − decay) · weights, begun at the weights themselves."""

    def __init__(self, model: nn.Module, decay: float):
        self.decay = decay
        self.average = {name: p.detach().clone() for name, p in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: nn.Module, finite: Tensor) -> None:
        """Take the weights in; where `finite`, a scalar bool tensor, is False the average stands still."""
        weight = (1 - self.decay) * finite
        for name, parameter in model.named_parameters():
            self.average[name].lerp_(parameter.detach(), weight)

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """Let the model compute with the averages for a while; pointers change places, nothing is copied."""
        self._swap(model)
        try:
            yield
        finally:
            self._swap(model)

    def _swap(self, model: nn.Module) -> None:
        for name, parameter in model.named_parameters():
            parameter.data, self.average[name] = self.average[name], parameter.data
