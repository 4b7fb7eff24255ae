"""Parity in float32 with what was recorded from the reference implementation."""

import json

import numpy as np
import pytest
import torch

from arckit.model.embedding import EmbeddingRows
from arckit.model.loss import log_stablemax, stablemax_cross_entropy, supervision_losses
from arckit.model.reference import load_reference

VARIANTS = ("trm_attention", "trm_mlp")


@pytest.fixture(scope="module", params=VARIANTS)
def record(request, golden):
    with np.load(golden / f"{request.param}.npz") as archive:
        arrays = {name: torch.as_tensor(archive[name]) for name in archive.files if name != "config_json"}
        config = json.loads(str(archive["config_json"]))
    weights = {name.removeprefix("weights/"): v for name, v in arrays.items() if name.startswith("weights/")}
    return config, weights, arrays


def seated(record):
    config, weights, arrays = record
    model, rows = load_reference(config, weights)
    return model, rows, arrays["inputs"], arrays["labels"].long(), arrays["puzzle_identifiers"].long()


def test_each_supervision_step_equals_the_recorded_one(record):
    model, rows, inputs, labels, identifiers = seated(record)
    arrays = record[2]
    state = model.initial_state(len(inputs))
    for step in range(3):
        expected = {k.rpartition("/")[2]: v for k, v in arrays.items() if k.startswith(f"eval/step{step}/")}
        with torch.no_grad():
            state, logits, q = model(inputs, rows[identifiers], state)
        for name, ours in (("logits", logits), ("q_halt_logits", q), ("z_H", state[0]), ("z_L", state[1])):
            torch.testing.assert_close(ours, expected[name], atol=1e-4, rtol=0, msg=f"step {step}: {name}")
        losses = supervision_losses(logits, q, labels)
        assert losses.answer.sum().item() == pytest.approx(expected["lm_loss"].item(), abs=1e-5)
        assert losses.halting.sum().item() == pytest.approx(expected["q_halt_loss"].item(), abs=1e-5)
        state = (expected["z_H"], expected["z_L"])  # rounding grows about tenfold a step when left to itself


def test_every_gradient_equals_the_recorded_one_and_so_do_the_rows_after_sign_sgd(record):
    model, rows, inputs, labels, identifiers = seated(record)
    arrays = record[2]
    table = EmbeddingRows(rows.clone())
    looked_up = table.look_up(identifiers)
    _, logits, q = model(inputs, looked_up, model.initial_state(len(inputs)))
    loss = supervision_losses(logits, q, labels).total.sum()
    assert loss.item() == pytest.approx(arrays["train/loss_sum"].item(), abs=1e-5)
    (loss / len(inputs)).backward()

    prefix = "train/grad_of_loss_over_batch/"
    recorded = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
    named = {name: parameter.grad for name, parameter in model.named_parameters()}
    # The recorded names become ours the way the weights' do.
    from arckit.model.reference import _rename

    for name, expected in recorded.items():
        ours = looked_up.grad if name == "puzzle_emb_local" else named[_rename(name.removeprefix("inner."))]
        assert ours is not None
        assert (ours - expected).norm() <= 1e-4 * expected.norm(), name
    assert len(recorded) == len(named) + 1

    assert looked_up.grad is not None
    table.step(identifiers, looked_up.grad, torch.tensor(0.01), 0.1, torch.tensor(True))
    after = arrays["train/puzzle_emb_after_signsgd_lr0.01_wd0.1"]
    touched = torch.zeros(len(rows), dtype=torch.bool)
    touched[identifiers] = True
    torch.testing.assert_close(table.table[~touched], after[~touched], atol=0, rtol=0)
    close = torch.isclose(table.table[touched], after[touched], atol=1e-7, rtol=1e-6)
    assert close.float().mean() >= 0.999


def test_stablemax_in_float32_equals_the_reference_in_float64(golden):
    with np.load(golden / "stablemax.npz") as archive:
        logits, labels = torch.as_tensor(archive["logits"]), torch.as_tensor(archive["labels"])
        log_p, loss = archive["log_stablemax"], archive["loss_per_token_float64"]
    np.testing.assert_allclose(log_stablemax(logits.float()).numpy(), log_p, atol=1e-5)
    np.testing.assert_allclose(stablemax_cross_entropy(logits, labels).numpy(), loss, atol=1e-5)


@pytest.mark.parametrize(
    "prefix", ["", "inner.", "model.inner.", "_orig_mod.model.inner.", "module._orig_mod.model.inner."]
)
def test_keys_do_not_depend_on_whether_the_reference_was_compiled(record, prefix):
    config, weights, _ = record
    model, rows = load_reference(config, {prefix + k.removeprefix("inner."): v for k, v in weights.items()})
    torch.testing.assert_close(rows, weights["inner.puzzle_emb.weights"])
    torch.testing.assert_close(model.token_embedding.data, weights["inner.embed_tokens.embedding_weight"])
