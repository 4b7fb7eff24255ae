"""The reference's configurations and state dicts, read into arckit's model.

Source: the names are those of SamsungSAILMontreal/TinyRecursiveModels; none of its code is here.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from arckit.config import ModelConfig
from arckit.errors import InputError
from arckit.model.trm import TinyRecursiveModel

ROWS = "puzzle_emb.weights"

_NAMES = (  # the reference's name → ours
    (r"H_init", "y_start"),
    (r"L_init", "z_start"),
    (r"embed_tokens\.embedding_weight", "token_embedding"),
    (r"lm_head\.weight", "output_head.weight"),
    (r"q_head\.(weight|bias)", r"q_head.\1"),
    (r"L_level\.layers\.(\d+)\.self_attn\.qkv_proj\.weight", r"blocks.\1.mix.qkv.weight"),
    (r"L_level\.layers\.(\d+)\.self_attn\.o_proj\.weight", r"blocks.\1.mix.out.weight"),
    (r"L_level\.layers\.(\d+)\.mlp_t\.gate_up_proj\.weight", r"blocks.\1.mix.gate_up.weight"),
    (r"L_level\.layers\.(\d+)\.mlp_t\.down_proj\.weight", r"blocks.\1.mix.down.weight"),
    (r"L_level\.layers\.(\d+)\.mlp\.gate_up_proj\.weight", r"blocks.\1.mlp.gate_up.weight"),
    (r"L_level\.layers\.(\d+)\.mlp\.down_proj\.weight", r"blocks.\1.mlp.down.weight"),
)


def load_reference(config: Mapping[str, Any], weights: Mapping[str, Any]) -> tuple[TinyRecursiveModel, Tensor]:
    """Build a model from the reference's configuration and state dict.

    Args:
        config: the reference's names: `hidden_size`, `num_heads`, `H_cycles`, `L_cycles`, `halt_max_steps`, …;
            the `arch` part of its `all_config.yaml` with `vocab_size` and `seq_len` does as well.
        weights: arrays or tensors by name, under any prefix (`_orig_mod.model.inner.`, `model.inner.`, `inner.`, …).

    Returns:
        The model in float32 and its embedding rows (R, D_emb), in the order of `identifiers.json`.

    Raises:
        InputError: a name that is missing or too much, or a shape that does not match.
    """
    ours = model_config(config)
    model = TinyRecursiveModel(ours)
    state: dict[str, Tensor] = {}
    rows: Tensor | None = None
    for name, value in weights.items():
        short = re.sub(r"^(_orig_mod\.|module\.|model\.|inner\.)+", "", name)
        tensor = torch.as_tensor(np.asarray(value) if not isinstance(value, Tensor) else value).float()
        if short == ROWS:
            rows = tensor
            continue
        if short.startswith("puzzle_emb.") or short.startswith("rotary_emb."):
            continue  # the batch's copy of the rows, and constants
        state[_rename(short)] = tensor
    if rows is None:
        raise InputError(f"reference weights: no {ROWS}; found {', '.join(list(weights)[:3])}, …")
    if rows.ndim != 2 or rows.shape[1] != ours.D_emb:
        raise InputError(f"reference weights: {ROWS} of {tuple(rows.shape)}, expected (rows, {ours.D_emb})")
    load_weights(model, state, "reference weights")
    return model, rows


def model_config(config: Mapping[str, Any]) -> ModelConfig:
    """The reference's configuration in arckit's names; what arckit cannot be is an error, never ignored."""

    def need(name: str) -> Any:
        if name not in config:
            raise InputError(f"reference configuration: no {name!r}; found {', '.join(sorted(config))}")
        return config[name]

    def whole(name: str) -> int:
        value = need(name)
        if type(value) is not int or value < 1:
            raise InputError(f"reference configuration: {name} = {value!r}, expected a whole number of at least 1")
        return value

    if config.get("H_layers", 0) not in (0, None):
        raise InputError(f"reference configuration: H_layers = {config['H_layers']}: two networks, expected one")
    for name, ours in (("rope_theta", 10000), ("rms_norm_eps", 1e-5)):
        if config.get(name, ours) != ours:
            raise InputError(f"reference configuration: {name} = {config[name]!r}, expected {ours}")
    expansion = config.get("expansion", 4)
    if type(expansion) not in (int, float):
        raise InputError(f"reference configuration: expansion = {expansion!r}, expected a number above 0")
    cells = whole("seq_len")
    side = math.isqrt(cells)
    if side * side != cells:
        raise InputError(f"reference configuration: seq_len = {cells}, expected a square number of cells")
    D, D_emb = whole("hidden_size"), whole("puzzle_emb_ndim")
    mlp = bool(config.get("mlp_t", False))
    encodings = config.get("pos_encodings", "rope")
    if encodings != ("none" if mlp else "rope") and not (mlp and encodings == "rope"):
        raise InputError(
            f"reference configuration: pos_encodings = {encodings!r}, expected 'rope', or 'none' with mlp_t"
        )
    return ModelConfig(
        D=D,
        heads=whole("num_heads"),
        layers=whole("L_layers"),
        expansion=float(expansion),
        n=whole("L_cycles"),
        T=whole("H_cycles"),
        N_sup=whole("halt_max_steps"),
        prefix=whole("puzzle_emb_len") if config.get("puzzle_emb_len") else -(-D_emb // D),
        D_emb=D_emb,
        side=side,
        vocabulary=whole("vocab_size"),
        mixing="mlp" if mlp else "attention",
    )


def load_weights(model: TinyRecursiveModel, weights: Mapping[str, Tensor], where: str) -> None:
    """Put every weight in its place; one missing, too much or of another shape is an error that names it."""
    expected = model.state_dict()
    if missing := sorted(expected.keys() - weights.keys()):
        raise InputError(f"{where}: another architecture: without {', '.join(missing[:3])}")
    if unknown := sorted(weights.keys() - expected.keys()):
        raise InputError(f"{where}: another architecture: unknown {', '.join(unknown[:3])}")
    for name, tensor in weights.items():
        if tensor.shape != expected[name].shape:
            raise InputError(
                f"{where}: another architecture: {name} of {tuple(tensor.shape)}, "
                f"expected {tuple(expected[name].shape)}"
            )
    model.load_state_dict(dict(weights))


def _rename(name: str) -> str:
    for pattern, ours in _NAMES:
        if match := re.fullmatch(pattern, name):
            return match.expand(ours)
    raise InputError(f"reference weights: unknown name {name!r}")
