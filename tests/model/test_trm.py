"""The model: how it begins, what it computes, and where gradients go."""

import dataclasses

import pytest
import torch

from arckit.config import ModelConfig
from arckit.model.loss import supervision_losses
from arckit.model.trm import TinyRecursiveModel

TINY = ModelConfig(D=16, heads=2, n=2, T=3, N_sup=3, prefix=2, D_emb=20, side=4)
TINY_MLP = dataclasses.replace(TINY, mixing="mlp")
CELLS, BATCH = 16, 3


def model_of(config: ModelConfig = TINY, seed: int = 0) -> TinyRecursiveModel:
    """A model whose q depends on y, unlike one that begins."""
    model = TinyRecursiveModel(config, seed)
    with torch.no_grad():
        model.q_head.weight.normal_(generator=torch.Generator().manual_seed(9))
    return model


def batch(config: ModelConfig = TINY, size: int = BATCH, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randint(0, config.vocabulary, (size, config.side**2), generator=generator)
    return inputs, torch.randn(size, config.D_emb, generator=generator)


def run(model: TinyRecursiveModel, inputs, rows, positions=None, dtype=None):
    with torch.no_grad():
        return model(inputs, rows, model.initial_state(*inputs.shape, dtype), positions)


def assert_same(one, two, **tolerances):
    for a, b in zip((*one[0], *one[1:]), (*two[0], *two[1:]), strict=True):
        torch.testing.assert_close(a, b, **tolerances)


EXACT = {"atol": 0, "rtol": 0}


# --- how it begins --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published() -> TinyRecursiveModel:
    return TinyRecursiveModel(ModelConfig())


def test_the_published_size_is_met_with_the_embedding_rows_apart(published):
    assert sum(parameter.numel() for parameter in published.parameters()) == 6_829_058


def test_every_weight_begins_with_its_published_deviation(published):
    weights = dict(published.named_parameters())
    expected = {"token_embedding": 512**-0.5, "output_head.weight": 512**-0.5}
    for block in (0, 1):
        expected |= {
            f"blocks.{block}.mix.qkv.weight": 512**-0.5,
            f"blocks.{block}.mix.out.weight": 512**-0.5,
            f"blocks.{block}.mlp.gate_up.weight": 512**-0.5,
            f"blocks.{block}.mlp.down.weight": 1536**-0.5,
        }
    assert weights.keys() == {*expected, "q_head.weight", "q_head.bias"}
    for name, std in expected.items():
        weight = weights[name]
        assert weight.std().item() == pytest.approx(std, rel=4 / weight.numel() ** 0.5), name
        assert weight.abs().max() <= 2 * std / 0.879, name
    for name in ("y_start", "z_start"):
        start = published.get_buffer(name)
        assert start.shape == (512,)
        assert start.std().item() == pytest.approx(1.0, rel=0.1)
        assert start.abs().max() <= 2 / 0.879
    assert not torch.equal(published.get_buffer("y_start"), published.get_buffer("z_start"))


def test_at_the_beginning_nothing_is_thought_right(published):
    assert (published.q_head.weight == 0).all()
    assert published.q_head.bias is not None
    assert (published.q_head.bias == -5).all()
    model = TinyRecursiveModel(TINY)
    assert (run(model, *batch())[2] == -5).all()


def test_equal_seeds_begin_with_equal_weights_and_no_global_generator_has_a_say():
    state = torch.random.get_rng_state()
    one = TinyRecursiveModel(TINY, 4).state_dict()
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.rand(3)
    two, other = TinyRecursiveModel(TINY, 4).state_dict(), TinyRecursiveModel(TINY, 5).state_dict()
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, **EXACT)
        assert name.startswith("q_head") or not torch.equal(other[name], tensor), name


def test_no_weight_begins_equal_to_another():
    named = TinyRecursiveModel(TINY).named_parameters()
    weights = [weight.detach() for name, weight in named if not name.startswith("q_head")]
    firsts = {round((weight.flatten()[0] / weight.std()).item(), 4) for weight in weights}
    assert len(firsts) == len(weights)


def test_running_the_model_draws_no_random_number():
    model = model_of()
    state = torch.random.get_rng_state()
    run(model, *batch())
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("config", [TINY, TINY_MLP], ids=["attention", "mlp"])
def test_the_starts_of_y_and_z_are_stored_and_never_trained(config):
    model = model_of(config)
    assert {"y_start", "z_start"} <= model.state_dict().keys()
    assert {"y_start", "z_start"} & dict(model.named_parameters()).keys() == set()
    inputs, rows = batch(config)
    _, logits, q = model(inputs, rows, model.initial_state(BATCH))
    (logits.sum() + q.sum()).backward()
    assert not model.get_buffer("y_start").requires_grad
    assert model.get_buffer("y_start").grad is None
    assert model.get_buffer("z_start").grad is None


def test_y_and_z_begin_alike_at_every_position_of_every_example():
    model = TinyRecursiveModel(TINY)
    y, z = model.initial_state(3)
    assert y.shape == z.shape == (3, TINY.prefix + CELLS, TINY.D)
    assert (y == model.get_buffer("y_start")).all()
    assert (z == model.get_buffer("z_start")).all()
    assert model.initial_state(2, 5)[0].shape == (2, TINY.prefix + 5, TINY.D)
    assert [t.dtype for t in model.initial_state(2, 5, torch.bfloat16)] == [torch.bfloat16] * 2


# --- what it computes -----------------------------------------------------------------------------------------------


def test_the_row_fills_the_prefix_and_the_rest_of_it_is_zero():
    model, (inputs, rows) = model_of(), batch()
    x = model.embed(inputs, rows)
    assert x.shape == (BATCH, 2 + CELLS, 16)
    torch.testing.assert_close(x[:, :2].reshape(BATCH, 32)[:, :20], 4 * rows)  # 4 = √D
    assert (x[:, :2].reshape(BATCH, 32)[:, 20:] == 0).all()
    torch.testing.assert_close(x[:, 2:], 4 * model.token_embedding[inputs])


def recursion_by_hand(model: TinyRecursiveModel, inputs, rows, state):
    """The paper's pseudo-code, flat: T · (n + 1) calls of the one network, the last n + 1 with gradients."""
    config, (y, z) = model.config, state
    x, rotation = model.embed(inputs, rows), model.rotation(None)
    for turn in range(config.T):
        with torch.set_grad_enabled(turn == config.T - 1):
            for _ in range(config.n):
                z = model.net(x + y + z, rotation)
            y = model.net(y + z, rotation)
    logits = y[:, config.prefix :] @ model.output_head.weight.T
    assert model.q_head.bias is not None
    return (y, z), logits, y[:, 0] @ model.q_head.weight[0] + model.q_head.bias[0]


@pytest.mark.parametrize("config", [TINY, TINY_MLP], ids=["attention", "mlp"])
def test_a_supervision_step_is_t_times_n_thoughts_and_an_answer_and_only_the_last_time_is_learned_from(config):
    gradients = []
    inputs, rows = batch(config)
    labels = inputs.roll(1, 1)
    for forward in (lambda model, *given: model(*given), recursion_by_hand):
        model, leaf = model_of(config), rows.clone().requires_grad_()
        state, logits, q = forward(model, inputs, leaf, model.initial_state(BATCH))
        supervision_losses(logits, q, labels).total.sum().backward()
        gradients.append([*state, logits, q, leaf.grad, *(p.grad for p in model.parameters())])
    assert len(gradients[0]) == 5 + len(list(model_of(config).parameters()))
    for ours, by_hand in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, by_hand)
        assert ours.abs().sum() > 0


def test_earlier_recursions_give_the_gradient_nothing():
    """With T = 1 begun where T = 3 has come after two, every gradient is the same."""
    inputs, rows = batch()
    deep, last = model_of(), model_of(dataclasses.replace(TINY, T=1))
    state = deep.initial_state(BATCH)
    with torch.no_grad():
        for _ in range(2):
            state = last(inputs, rows, state)[0]
    for model, begin in ((deep, deep.initial_state(BATCH)), (last, state)):
        _, logits, q = model(inputs, rows, begin)
        (logits.square().sum() + q.sum()).backward()
    for (name, one), two in zip(deep.named_parameters(), last.parameters(), strict=True):
        torch.testing.assert_close(one.grad, two.grad, msg=name)


def test_an_answer_is_improved_without_a_look_at_the_question():
    """x goes into the thought only; the one network knows by its absence that it is answering."""
    model, calls = model_of(), []
    net = model.net
    model.net = lambda h, rotation: calls.append(h) or net(h, rotation)  # type: ignore[method-assign]
    inputs, rows = batch()
    y, z = model.initial_state(BATCH)
    with torch.no_grad():
        model.latent_recursion(model.embed(inputs, rows), y, z, model.rotation(None))
        assert len(calls) == TINY.n + 1
        thought = net(calls[-2], model.rotation(None))
    torch.testing.assert_close(calls[0], model.embed(inputs, rows) + y + z)
    torch.testing.assert_close(calls[-1], y + thought)


def test_examples_of_a_batch_do_not_see_each_other():
    model, (inputs, rows) = model_of(), batch()
    whole = run(model, inputs, rows)
    for index in range(BATCH):
        alone = run(model, inputs[index : index + 1], rows[index : index + 1])
        picked = (tuple(t[index : index + 1] for t in whole[0]), *(t[index : index + 1] for t in whole[1:]))
        assert_same(alone, picked, atol=1e-4, rtol=1e-4)


def test_tokens_may_come_as_bytes():
    model, (inputs, rows) = model_of(), batch()
    assert_same(run(model, inputs.to(torch.uint8), rows), run(model, inputs, rows), **EXACT)


# --- positions ------------------------------------------------------------------------------------------------------


def test_all_cells_as_positions_are_the_whole_canvas_exactly():
    model, (inputs, rows) = model_of(), batch()
    whole = run(model, inputs, rows)
    positions = torch.from_numpy(TINY.canvas.positions())
    assert_same(run(model, inputs, rows, positions), whole, **EXACT)
    assert_same(run(model, inputs, rows, positions.expand(BATCH, -1)), whole, **EXACT)


def test_cells_in_another_order_give_the_same_answers_in_that_order():
    model, (inputs, rows) = model_of(), batch()
    (y, z), logits, q = run(model, inputs, rows)
    order = torch.randperm(CELLS, generator=torch.Generator().manual_seed(0))
    places = torch.cat([torch.arange(2), order + 2])
    shuffled = run(model, inputs[:, order], rows, order)
    assert_same(shuffled, ((y[:, places], z[:, places]), logits[:, order], q), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(run(model, inputs[:, order], rows)[1], logits[:, order], atol=1e-2), "position matters"


def test_each_example_of_a_batch_may_have_positions_of_its_own():
    model, (inputs, rows) = model_of(), batch()
    part = inputs[:, :6]
    positions = torch.tensor([[0, 1, 2, 4, 5, 6], [5, 6, 7, 9, 10, 11], [8, 9, 10, 12, 13, 14]])
    together = run(model, part, rows, positions)
    for index in range(BATCH):
        one = slice(index, index + 1)
        alone = run(model, part[one], rows[one], positions[index])
        assert_same(alone, (tuple(t[one] for t in together[0]), *(t[one] for t in together[1:])), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(run(model, part, rows, positions[0])[1][1], together[1][1], atol=1e-3)


def test_a_part_of_the_canvas_is_one_sequence_with_the_positions_of_its_cells():
    """What is computed for a 2×3 corner is what a canvas would give that had no other cells."""
    model, (inputs, rows) = model_of(), batch()
    corner = torch.tensor([0, 1, 2, 4, 5, 6])  # rows 0 and 1, columns 0 to 2, of a canvas of side 4
    (y, _), logits, _ = run(model, inputs[:, corner], rows, corner)
    assert y.shape == (BATCH, 2 + 6, 16)
    assert logits.shape == (BATCH, 6, 12)
    # A canvas of side 8 numbers the same cells 0 1 2 8 9 10; given our numbers, it computes the same.
    large = TinyRecursiveModel(dataclasses.replace(TINY, side=8))
    large.load_state_dict(model.state_dict())
    assert_same(run(large, inputs[:, corner], rows, corner), run(model, inputs[:, corner], rows, corner), **EXACT)


def test_mixing_by_mlp_refuses_positions():
    model, (inputs, rows) = model_of(TINY_MLP), batch()
    with pytest.raises(AssertionError, match="whole canvas"):
        run(model, inputs, rows, torch.arange(CELLS))


# --- precision ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [TINY, TINY_MLP], ids=["attention", "mlp"])
def test_a_state_in_bfloat16_is_computed_in_bfloat16_and_agrees_with_float32(config):
    config = dataclasses.replace(config, T=1)  # rounding grows with every recursion
    model, (inputs, rows) = model_of(config), batch(config)
    seen = []
    handle = model.blocks[0].mlp.register_forward_hook(lambda module, given, out: seen.append(out.dtype))
    (y, z), logits, q = run(model, inputs, rows, dtype=torch.bfloat16)
    handle.remove()
    assert set(seen) == {torch.bfloat16}
    assert y.dtype == z.dtype == torch.bfloat16
    assert logits.dtype == q.dtype == torch.float32
    exact = run(model, inputs, rows)
    for half, full in ((y.float(), exact[0][0]), (logits, exact[1]), (q, exact[2])):
        assert (half - full).norm() < 0.05 * full.norm()
        assert not torch.equal(half, full)
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


def test_gradients_are_float32_whatever_is_computed_in():
    model, (inputs, rows) = model_of(), batch()
    rows.requires_grad_()
    _, logits, q = model(inputs, rows, model.initial_state(BATCH, dtype=torch.bfloat16))
    (logits.sum() + q.sum()).backward()
    assert rows.grad is not None
    assert {rows.grad.dtype, *(p.grad.dtype for p in model.parameters() if p.grad is not None)} == {torch.float32}
