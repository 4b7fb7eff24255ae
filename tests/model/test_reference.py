"""A public reference checkpoint becomes a release: weights, depths, and every row under its name."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from arckit.errors import InputError
from arckit.model.reference import load_reference, model_config
from arckit.model.release import import_reference, load_release, save_release

NAMES = ["<blank>", "aaaa", "aaaa|||t3|||0987654321", "bbbb", "bbbb|||t0|||0213456789"]
PREFIX = "_orig_mod.model.inner."


@pytest.fixture(scope="module")
def record(golden) -> tuple[dict, dict[str, torch.Tensor]]:
    """The reference's configuration, and its state dict as `torch.save` of a compiled model would have it."""
    with np.load(golden / "trm_attention.npz") as archive:
        config = json.loads(str(archive["config_json"]))
        weights = {
            PREFIX + name.removeprefix("weights/inner."): torch.from_numpy(archive[name])
            for name in archive.files
            if name.startswith("weights/")
        }
    return config, weights


@pytest.fixture
def files(record, tmp_path) -> dict[str, Path]:
    """What a user brings: the checkpoint, identifiers.json and the configuration."""
    config, weights = record
    paths = {name: tmp_path / name for name in ("checkpoint", "identifiers.json", "config.json")}
    torch.save(weights, paths["checkpoint"])
    paths["identifiers.json"].write_text(json.dumps(NAMES))
    paths["config.json"].write_text(json.dumps(config))
    return paths


def imported(files, config=None):
    config = config or json.loads(files["config.json"].read_text())
    return import_reference(files["checkpoint"], files["identifiers.json"], config, {"imported_from": "checkpoint"})


def test_every_row_is_imported_under_its_name_and_the_blank_row_is_left_out(files, record):
    release, table = imported(files), record[1][PREFIX + "puzzle_emb.weights"]
    assert list(release.row_names) == NAMES[1:]
    assert torch.equal(release.rows_named(NAMES[:0:-1]), table[1:].flip(0))
    torch.testing.assert_close(release.mean_row, table[1:].mean(0))


def test_the_blank_row_is_left_out_wherever_it_stands(files, record):
    files["identifiers.json"].write_text(json.dumps([*NAMES[1:3], "<blank>", *NAMES[3:]]))
    release, table = imported(files), record[1][PREFIX + "puzzle_emb.weights"]
    assert torch.equal(release.rows_named(NAMES[1:]), table[[0, 1, 3, 4]])


def test_the_depths_of_the_reference_are_remembered_in_the_release(files, tmp_path):
    """A model trained with n = 4 and loaded at the default n = 6 gives 3.75 instead of about 40."""
    config = load_release(save_release(imported(files), tmp_path / "release")).config
    assert (config.n, config.T, config.N_sup) == (4, 3, 4)
    assert (config.D, config.heads, config.layers, config.prefix, config.D_emb, config.side) == (64, 2, 2, 4, 256, 5)


def test_an_imported_model_answers_as_the_recorded_one(files, golden, tmp_path):
    release = load_release(save_release(imported(files), tmp_path / "release"))
    with np.load(golden / "trm_attention.npz") as archive:
        inputs, identifiers = torch.from_numpy(archive["inputs"]), archive["puzzle_identifiers"]
        logits = torch.from_numpy(archive["eval/step0/logits"])
    kept = [place for place, identifier in enumerate(identifiers) if identifier > 0]
    assert kept
    model, rows = release.model(), release.rows_named([NAMES[identifiers[place]] for place in kept])
    with torch.no_grad():
        _, found, _ = model(inputs[kept], rows, model.initial_state(len(kept)))
    torch.testing.assert_close(found, logits[kept], atol=1e-4, rtol=0)


def test_a_checkpoint_with_only_the_shared_row_begins_at_that_row(files, record):
    """Sudoku's and mazes' checkpoints have one shared identifier: the mean over no rows would not be a number."""
    table = torch.full((1, 256), 0.25)
    torch.save({**record[1], PREFIX + "puzzle_emb.weights": table}, files["checkpoint"])
    files["identifiers.json"].write_text('["<blank>"]')
    release = imported(files)
    assert list(release.row_names) == []
    assert torch.equal(release.mean_row, torch.full((256,), 0.25))


# --- the command line -----------------------------------------------------------------------------------------------


def arckit(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "arckit", "release", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_command_line_imports_a_checkpoint_and_says_what_it_has(files, record, tmp_path):
    out = tmp_path / "release"
    options = ["--identifiers", files["identifiers.json"], "--config", files["config.json"], "--out", out]
    done = arckit("import", files["checkpoint"], *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert "n = 4, T = 3, N_sup = 4, D = 64, 4 rows" in done.stdout
    about = arckit("info", out)
    assert (about.returncode, about.stderr) == (0, "")
    first, *facts = about.stdout.splitlines()
    buffers = 2 * 64  # the starts of y and z
    parameters = sum(t.numel() for name, t in record[1].items() if "puzzle_emb" not in name and "_init" not in name)
    assert first == f"{out}: {parameters + buffers:,} weights, 4 rows"
    told = dict(line.split(maxsplit=1) for line in facts)
    assert (told["n"], told["T"], told["N_sup"], told["imported_from"]) == ("4", "3", "4", "checkpoint")
    assert torch.equal(load_release(out).rows_named(NAMES[1:]), imported(files).rows_named(NAMES[1:]))


def test_the_command_line_says_in_one_line_what_it_cannot_import_and_leaves_nothing(files, tmp_path):
    files["identifiers.json"].write_text(json.dumps(NAMES[:-1]))
    out = tmp_path / "release"
    options = ["--identifiers", files["identifiers.json"], "--config", files["config.json"], "--out", out]
    done = arckit("import", files["checkpoint"], *options)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert f"{files['identifiers.json']}: 4 names, but {files['checkpoint']} has 5 rows" in done.stderr
    assert set(tmp_path.iterdir()) == set(files.values())


# --- what is not one ------------------------------------------------------------------------------------------------


class Trap:
    """What a hostile checkpoint holds: reading it with `pickle` runs it."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_code_in_a_checkpoint_is_never_run(save, files, record, tmp_path):
    sprung = tmp_path / "sprung"
    save({**record[1], "trap": Trap(sprung)}, files["checkpoint"])
    with pytest.raises(InputError, match=r"checkpoint: not a torch file of plain tensors"):
        imported(files)
    assert not sprung.exists()
    read = {torch.save: lambda path: torch.load(path, weights_only=False)}.get(
        save, lambda p: pickle.loads(p.read_bytes())
    )
    read(files["checkpoint"])
    assert sprung.exists(), "the trap was one"


CHECKPOINTS = {
    "text": lambda path: path.write_text("weights"),
    "nothing": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:2000]),
    "gone": lambda path: path.unlink(),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a tensor": lambda path: torch.save(torch.zeros(3), path),
    "numbers": lambda path: torch.save({"a": 1}, path),
    "a checkpoint of a whole run": lambda path: torch.save({"model": {"a": torch.zeros(1)}, "step": 3}, path),
    "numbered tensors": lambda path: torch.save({0: torch.zeros(1)}, path),
}


@pytest.mark.parametrize("damage", CHECKPOINTS.values(), ids=CHECKPOINTS)
def test_what_is_no_checkpoint_is_an_error_with_its_path(damage, files):
    damage(files["checkpoint"])
    with pytest.raises(InputError) as error:
        imported(files)
    assert str(files["checkpoint"]) in str(error.value)
    assert "\n" not in str(error.value)


IDENTIFIERS = {
    "fewer": (json.dumps(NAMES[:-1]), "4 names, but"),
    "more": (json.dumps([*NAMES, "cccc"]), "6 names, but"),
    "none": ("[]", "0 names, but"),
    "an object": (json.dumps({name: row for row, name in enumerate(NAMES)}), "expected a list of names"),
    "numbers": ("[0, 1, 2, 3, 4]", "expected a list of names"),
    "a name twice": (json.dumps([*NAMES[:-1], "aaaa"]), "twice"),
    "cut off": (json.dumps(NAMES)[:-5], "not JSON"),
}


@pytest.mark.parametrize(("text", "said"), IDENTIFIERS.values(), ids=IDENTIFIERS)
def test_identifiers_that_do_not_match_the_rows_are_an_error_with_their_path(text, said, files):
    files["identifiers.json"].write_text(text)
    with pytest.raises(InputError) as error:
        imported(files)
    assert str(files["identifiers.json"]) in str(error.value)
    assert said in str(error.value)


def test_identifiers_that_are_not_there_are_an_error_with_their_path(files):
    files["identifiers.json"].unlink()
    with pytest.raises(InputError, match=r"identifiers\.json: there is no such file"):
        imported(files)


CONFIGS = {
    "two networks": ({"H_layers": 4}, "H_layers = 4: two networks"),
    "no square of cells": ({"seq_len": 24}, "seq_len = 24, expected a square"),
    "another encoding": ({"pos_encodings": "learned"}, "pos_encodings = 'learned', expected 'rope'"),
    "another angle": ({"rope_theta": 500.0}, "rope_theta = 500.0, expected 10000"),
    "another norm": ({"rms_norm_eps": 1e-3}, "rms_norm_eps = 0.001, expected 1e-05"),
    "a text for a size": ({"hidden_size": "wide"}, "hidden_size = 'wide', expected a whole number"),
    "null for a depth": ({"L_cycles": None}, "L_cycles = None, expected a whole number"),
    "part of a head": ({"num_heads": 2.5}, "num_heads = 2.5, expected a whole number"),
    "nothing wide": ({"hidden_size": 0}, "hidden_size = 0, expected a whole number"),
    "less than no cells": ({"seq_len": -25}, "seq_len = -25, expected a whole number"),
    "a text for the expansion": ({"expansion": "four"}, "expansion = 'four', expected a number"),
}


@pytest.mark.parametrize(("change", "said"), CONFIGS.values(), ids=CONFIGS)
def test_a_configuration_that_arckit_cannot_be_is_an_error_that_names_it_and_never_ignored(change, said, record):
    with pytest.raises(InputError) as error:
        model_config(record[0] | change)
    assert said in str(error.value)


NEEDED = ("hidden_size", "num_heads", "L_layers", "L_cycles", "H_cycles", "halt_max_steps", "vocab_size", "seq_len")


@pytest.mark.parametrize("name", [*NEEDED, "puzzle_emb_ndim"])
def test_a_size_or_depth_that_is_not_told_is_an_error_and_never_a_default(name, record):
    with pytest.raises(InputError, match=rf"reference configuration: no '{name}'"):
        model_config({key: value for key, value in record[0].items() if key != name})


@pytest.mark.parametrize("length", [None, 0])
def test_a_prefix_whose_length_is_not_told_is_as_long_as_the_rows_need(length, record):
    config = record[0] | {"puzzle_emb_len": length, "puzzle_emb_ndim": 100}
    assert model_config(config).prefix == 2


def changed(weights, **tensors):
    return {**weights, **{PREFIX + name.replace("__", "."): tensor for name, tensor in tensors.items()}}


def test_weights_that_do_not_fit_the_configuration_are_an_error_that_names_them(record):
    config, weights = record
    without = {name: tensor for name, tensor in weights.items() if not name.endswith("lm_head.weight")}
    rows = PREFIX + "puzzle_emb.weights"
    for config_, weights_, said in (
        (config, without, "without output_head.weight"),
        (config, changed(weights, extra=torch.zeros(1)), "unknown name 'extra'"),
        (config, changed(weights, lm_head__weight=torch.zeros(3, 64)), r"output_head.weight of \(3, 64\), expected"),
        (config, {name: tensor for name, tensor in weights.items() if name != rows}, "no puzzle_emb.weights"),
        (config, {**weights, rows: torch.zeros(5, 7)}, r"puzzle_emb.weights of \(5, 7\), expected \(rows, 256\)"),
        (config | {"hidden_size": 128}, weights, "another architecture: .*expected"),
        (config | {"L_layers": 1}, weights, "another architecture: unknown blocks.1"),
        (config | {"mlp_t": True}, weights, "another architecture"),
    ):
        with pytest.raises(InputError, match=said):
            load_reference(config_, weights_)


def test_what_is_not_weights_in_a_state_dict_is_left_out(record):
    """The reference keeps a batch's copy of its rows, and constants, in its state dict."""
    config, weights = record
    extra = changed(weights, puzzle_emb__local_weights=torch.ones(3, 256), puzzle_emb__local_ids=torch.ones(3))
    one, two = load_reference(config, weights)[0], load_reference(config, extra)[0]
    for (name, tensor), other in zip(one.state_dict().items(), two.state_dict().values(), strict=True):
        assert torch.equal(tensor, other), name


def test_weights_in_half_precision_are_imported_as_float32(record):
    config, weights = record
    model, rows = load_reference(config, {name: tensor.bfloat16() for name, tensor in weights.items()})
    assert {rows.dtype, *(tensor.dtype for tensor in model.state_dict().values())} == {torch.float32}
