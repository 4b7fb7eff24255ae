"""AdamATan2, with warm-up, and a skip that is decided on the device."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class AdamATan2(torch.optim.Optimizer):
    """Adam whose update is an arc tangent: no epsilon, bounded, the same at any scale of the loss.

    θ ← θ(1 − lr·wd);  m, v as in Adam;  θ ← θ − lr/(1 − β₁ᵗ) · atan2(m, √v / √(1 − β₂ᵗ))

    The update count lives on the device and stands still when a step is skipped, so a skipped step moves
    nothing: weights, moments, bias correction or warm-up. Nothing here waits for the device.

    Source: the formula of arXiv 2407.05872; like the TRM reference, and unlike the adam-atan2 package's default,
    without a factor of 1.27.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.95),
        weight_decay: float = 0.1,
    ):
        super().__init__(parameters, {"lr": lr, "betas": betas, "weight_decay": weight_decay})
        for parameter in self.parameters():
            state = self.state[parameter]
            state["mean"] = torch.zeros_like(parameter)
            state["square"] = torch.zeros_like(parameter)

    def parameters(self) -> list[nn.Parameter]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    @torch.no_grad()
    def step(self, updates: Tensor, warm: Tensor, finite: Tensor) -> None:  # type: ignore[override]
        """Move every parameter once.

        Args:
            updates: scalar float tensor, the count t of this update, from 1.
            warm: scalar tensor, this update's part of the full rate, 0..1.
            finite: scalar bool tensor; where False nothing moves.
        """
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            rate = group["lr"] * warm
            correct1, correct2 = 1 - beta1**updates, (1 - beta2**updates).sqrt()
            for parameter in group["params"]:
                assert parameter.grad is not None
                state = self.state[parameter]
                mean = torch.lerp(state["mean"], parameter.grad, 1 - beta1)
                square = torch.lerp(state["square"], parameter.grad.square(), 1 - beta2)
                move = torch.atan2(mean, square.sqrt() / correct2) / correct1
                moved = parameter * (1 - rate * group["weight_decay"]) - rate * move
                parameter.copy_(torch.where(finite, moved, parameter))
                state["mean"].copy_(torch.where(finite, mean, state["mean"]))
                state["square"].copy_(torch.where(finite, square, state["square"]))


def warm_up(updates: Tensor, steps: int) -> Tensor:
    """The part of the full rate at the t-th update, t from 1: linear over `steps`, then 1."""
    return (updates / max(steps, 1)).clamp(max=1.0)
