"""What the network is made of, each part against its formula."""

import math

import pytest
import torch
import torch.nn.functional as F

from arckit.config import ModelConfig
from arckit.model.layers import (
    Attention,
    Block,
    Linear,
    SwiGLU,
    rms_norm,
    rotary_table,
    rotate,
    truncated_normal,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("std", [1.0, 0.05])
def test_truncated_normal_has_the_deviation_asked_for_and_no_tails(std):
    """Cut off at two deviations, and widened for it: uncorrected, the deviation would be 0.88 of that asked for."""
    numbers = truncated_normal((400, 500), std, generator())
    assert numbers.std().item() == pytest.approx(std, rel=0.01)
    assert numbers.mean().item() == pytest.approx(0, abs=0.01 * std)
    limit = 2 * std / 0.87962566
    assert numbers.abs().max().item() <= limit
    assert numbers.abs().max().item() > 0.99 * limit


def test_truncated_normal_is_drawn_from_its_generator_alone():
    torch.testing.assert_close(
        truncated_normal((50,), 1.0, generator(3)), truncated_normal((50,), 1.0, generator(3)), atol=0, rtol=0
    )
    state = torch.random.get_rng_state()
    assert not torch.equal(truncated_normal((50,), 1.0, generator(3)), truncated_normal((50,), 1.0, generator(4)))
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize(("inputs", "outputs"), [(400, 300), (100, 900)])
def test_a_linear_map_begins_as_truncated_lecun_normal_by_its_inputs_and_its_bias_as_zero(inputs, outputs):
    linear = Linear(inputs, outputs, generator(), bias=True)
    assert linear.weight.shape == (outputs, inputs)
    assert linear.weight.std().item() == pytest.approx(inputs**-0.5, rel=0.02)
    assert linear.bias is not None
    assert (linear.bias == 0).all()
    assert Linear(inputs, outputs, generator()).bias is None


def test_a_linear_map_works_in_the_precision_of_what_comes_in_and_keeps_its_weights_in_float32():
    linear, x = Linear(8, 4, generator(), bias=True), torch.randn(3, 8, generator=generator())
    assert linear.bias is not None
    torch.testing.assert_close(linear(x), x @ linear.weight.T + linear.bias)
    assert linear(x.bfloat16()).dtype == torch.bfloat16
    assert linear.weight.dtype == torch.float32


@pytest.mark.parametrize(("width", "inner"), [(512, 1536), (64, 256), (96, 256), (97, 512), (916, 2560)])
def test_swiglus_inner_width_is_rounded_up_to_a_multiple_of_256(width, inner):
    swiglu = SwiGLU(width, 4.0, generator())
    assert swiglu.gate_up.weight.shape == (2 * inner, width)
    assert swiglu.down.weight.shape == (width, inner)


def test_swiglu_equals_its_formula():
    swiglu, x = SwiGLU(8, 4.0, generator()), torch.randn(3, 8, generator=generator(1))
    gate, up = (x @ half.T for half in swiglu.gate_up.weight.chunk(2))
    torch.testing.assert_close(swiglu(x), (gate / (1 + torch.exp(-gate)) * up) @ swiglu.down.weight.T)


def test_rms_norm_divides_by_the_root_mean_square_of_the_last_dimension():
    x = torch.randn(2, 3, 40, generator=generator()) * torch.tensor([0.01, 1.0, 1e4]).view(1, 3, 1)
    expected = x / (x.square().sum(-1, keepdim=True) / 40 + 1e-5).sqrt()
    torch.testing.assert_close(rms_norm(x), expected)


def test_rms_norm_is_computed_in_float32_where_float16_would_overflow():
    x = torch.full((1, 8), 300.0, dtype=torch.float16)  # 300² is more than float16 holds
    assert rms_norm(x).dtype == torch.float16
    torch.testing.assert_close(rms_norm(x), torch.ones_like(x))


def test_rotation_turns_the_two_halves_by_the_positions_angles():
    cos, sin = rotary_table(100, 6)
    assert cos.shape == sin.shape == (100, 6)
    x = torch.randn(1, 100, 2, 6, generator=generator())
    turned = rotate(x, (cos.unsqueeze(-2), sin.unsqueeze(-2)))
    for position, pair in ((0, 0), (7, 1), (99, 2)):
        angle = position / 1e4 ** (2 * pair / 6)
        a, b = x[0, position, 1, pair], x[0, position, 1, pair + 3]
        torch.testing.assert_close(turned[0, position, 1, pair], a * math.cos(angle) - b * math.sin(angle))
        torch.testing.assert_close(turned[0, position, 1, pair + 3], b * math.cos(angle) + a * math.sin(angle))
    torch.testing.assert_close(turned[:, 0], x[:, 0], atol=0, rtol=0)


def test_what_two_rotated_vectors_have_in_common_depends_on_their_distance_only():
    cos, sin = rotary_table(200, 32)
    q, k = torch.randn(2, 32, generator=generator())

    def product(i: int, j: int) -> torch.Tensor:
        at = [rotate(v.view(1, 1, 1, 32), (cos[p].view(1, 1, 32), sin[p].view(1, 1, 32))) for v, p in ((q, i), (k, j))]
        return (at[0] * at[1]).sum()

    torch.testing.assert_close(product(3, 10), product(150, 157), atol=1e-4, rtol=0)
    assert abs(product(3, 10) - product(3, 11)) > 1e-3


def test_attention_equals_its_formula_and_every_position_sees_every_other():
    attention, x = Attention(8, 2, generator()), torch.randn(2, 5, 8, generator=generator(1))
    cos, sin = (table.unsqueeze(-2) for table in rotary_table(5, 4))
    q, k, v = (x @ part.T for part in attention.qkv.weight.chunk(3))
    heads = []
    for head in (slice(0, 4), slice(4, 8)):
        turned_q, turned_k = (rotate(t[..., head].unsqueeze(2), (cos, sin)).squeeze(2) for t in (q, k))
        weights = torch.softmax(turned_q @ turned_k.transpose(1, 2) / 2, dim=-1)  # 2 = √4, a head's width
        heads.append(weights @ v[..., head])
    expected = torch.cat(heads, -1) @ attention.out.weight.T
    torch.testing.assert_close(attention(x, (cos, sin)), expected)
    moved = x.clone()
    moved[:, 4] += 1
    assert ((attention(moved, (cos, sin)) - expected).abs().amax(-1) > 0).all(), "the first sees the last"


@pytest.mark.parametrize("mixing", ["attention", "mlp"])
def test_a_block_norms_after_each_addition(mixing):
    config = ModelConfig(D=8, heads=2, prefix=1, D_emb=8, side=2, mixing=mixing)
    block, h = Block(config, generator()), torch.randn(3, 5, 8, generator=generator(1))
    cos, sin = (table.unsqueeze(-2) for table in rotary_table(5, 4))
    if mixing == "attention":
        middle = F.rms_norm(h + block.mix(h, (cos, sin)), (8,), eps=1e-5)
    else:  # the first norm runs over positions, as in the reference
        turned = h.transpose(1, 2)
        middle = F.rms_norm(turned + block.mix(turned), (5,), eps=1e-5).transpose(1, 2)
    torch.testing.assert_close(block(h, (cos, sin)), F.rms_norm(middle + block.mlp(middle), (8,), eps=1e-5))
