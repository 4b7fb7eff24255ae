"""What the network is made of: linear maps, SwiGLU, attention with RoPE, RMS norm, and how weights begin."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from arckit.config import ModelConfig


class Linear(nn.Module):
    """y = W x (+ b). Weights stay in float32 and are used in the precision of what comes in.

    Begins as truncated LeCun normal, the bias as 0.
    """

    def __init__(self, inputs: int, outputs: int, generator: torch.Generator, bias: bool = False):
        super().__init__()
        self.weight = nn.Parameter(truncated_normal((outputs, inputs), inputs**-0.5, generator))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return F.linear(x, self.weight.to(x.dtype), bias)


class SwiGLU(nn.Module):
    """down(silu(gate(x)) · up(x)), with gate and up in one matrix."""

    def __init__(self, width: int, expansion: float, generator: torch.Generator):
        super().__init__()
        inner = math.ceil(round(width * expansion * 2 / 3) / 256) * 256
        self.gate_up = Linear(width, 2 * inner, generator)
        self.down = Linear(inner, width, generator)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(F.silu(gate) * up)


class Attention(nn.Module):
    """Full, not causal, attention; every position sees every other."""

    def __init__(self, width: int, heads: int, generator: torch.Generator):
        super().__init__()
        self.heads = heads
        self.qkv = Linear(width, 3 * width, generator)
        self.out = Linear(width, width, generator)

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        B, L, D = x.shape
        q, k, v = self.qkv(x).view(B, L, 3, self.heads, D // self.heads).unbind(2)  # (B, L, heads, D/heads)
        q, k, v = rotate(q, rotation).transpose(1, 2), rotate(k, rotation).transpose(1, 2), v.transpose(1, 2)
        attended = F.scaled_dot_product_attention(q, k, v)  # (B, heads, L, D/heads)
        return self.out(attended.transpose(1, 2).reshape(B, L, D))


class Block(nn.Module):
    """One layer, normed after each addition: h ← rms(h + mix(h)); h ← rms(h + swiglu(h))."""

    def __init__(self, config: ModelConfig, generator: torch.Generator):
        super().__init__()
        if config.mixing == "attention":
            self.mix = Attention(config.D, config.heads, generator)
        else:
            self.mix = SwiGLU(config.length, config.expansion, generator)
        self.mlp = SwiGLU(config.D, config.expansion, generator)

    def forward(self, h: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        if isinstance(self.mix, Attention):
            h = rms_norm(h + self.mix(h, rotation))
        else:  # across positions; its norm runs over positions too, as in the reference
            h = h.transpose(1, 2)  # (B, D, L)
            h = rms_norm(h + self.mix(h)).transpose(1, 2)
        return rms_norm(h + self.mlp(h))


def rms_norm(x: Tensor, eps: float = 1e-5) -> Tensor:
    """x over its root mean square along the last dimension, without gain, computed in float32."""
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps)).to(x.dtype)


def rotary_table(positions: int, width: int, theta: float = 1e4) -> tuple[Tensor, Tensor]:
    """RoPE's cosines and sines, (positions, width) float32 each, the two halves alike as in Llama."""
    frequencies = theta ** -(torch.arange(0, width, 2, dtype=torch.float32) / width)
    angles = torch.outer(torch.arange(positions, dtype=torch.float32), frequencies)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Turn each head's vector by its position's angles, in float32.

    Args:
        x: (B, L, heads, width).
        rotation: cosines and sines, (L, 1, width), or (B, L, 1, width) where positions differ within the batch.
    """
    cos, sin = rotation
    first, second = x.float().chunk(2, dim=-1)
    return (x * cos + torch.cat([-second, first], dim=-1) * sin).to(x.dtype)


def truncated_normal(shape: tuple[int, ...], std: float, generator: torch.Generator) -> Tensor:
    """Normal numbers cut off at two standard deviations, widened so that their own deviation is `std`."""
    density, mass = math.exp(-2.0) / math.sqrt(2 * math.pi), math.erf(math.sqrt(2.0))
    std /= math.sqrt(1 - 4 * density / mass)
    return nn.init.trunc_normal_(torch.empty(shape), 0.0, std, -2 * std, 2 * std, generator=generator)
