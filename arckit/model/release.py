"""A release: what one gives away. Weights, configuration, and embedding rows under their views' names.

config.json          the model's configuration, and where the release comes from
weights.safetensors  the trunk, averaged, and the mean of the rows
rows.safetensors     (R, D_emb), rows.txt  the view's name of each row; both may be left out together
"""

import dataclasses
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from arckit.config import ModelConfig, from_json
from arckit.data.grid import describe
from arckit.data.task import read_json
from arckit.errors import InputError
from arckit.model.reference import load_reference, load_weights
from arckit.model.trm import TinyRecursiveModel

FORMAT = 1


@dataclass(frozen=True, eq=False)
class Release:
    """A trained model that can be given away.

    Attributes:
        config: sizes, n, T and N_sup included: a model loaded at another depth answers far worse.
        weights: the trunk's tensors by name.
        mean_row: (D_emb,) where new views begin.
        row_names: the views' names, in row order. rows: (R, D_emb).
        about: how it was made: recipe, steps, data and their hashes.
    """

    config: ModelConfig
    weights: Mapping[str, Tensor]
    mean_row: Tensor
    row_names: Sequence[str] = ()
    rows: Tensor | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.rows is not None and (self.rows.ndim != 2 or self.rows.shape[1] != self.config.D_emb):
            raise InputError(f"release: rows of {tuple(self.rows.shape)}, expected (rows, {self.config.D_emb})")
        count = 0 if self.rows is None else len(self.rows)
        if count != len(self.row_names):
            raise InputError(f"release: {count} rows but {len(self.row_names)} names, expected one name a row")
        if len(set(self.row_names)) != count:
            raise InputError("release: a view's name is there twice, expected each once")
        if self.mean_row.shape != (self.config.D_emb,):
            raise InputError(f"release: mean row of {tuple(self.mean_row.shape)}, expected ({self.config.D_emb},)")

    def model(self) -> TinyRecursiveModel:
        model = TinyRecursiveModel(self.config)
        load_weights(model, self.weights, "release")
        return model

    def rows_named(self, names: Sequence[str]) -> Tensor:
        """The rows of these views, (len(names), D_emb); one that is not there is an error, never a filler."""
        index = {name: row for row, name in enumerate(self.row_names)}
        if missing := [name for name in names if name not in index]:
            raise InputError(
                f"release: no embedding row for {len(missing)} of {len(names)} views, {missing[0]} first; "
                "test-time training makes new ones"
            )
        assert self.rows is not None
        return self.rows[[index[name] for name in names]]

    def rows_begun(self, names: Sequence[str]) -> Tensor:
        """Rows to learn from: a view's own where the release has it, the mean row for new views."""
        index = {name: row for row, name in enumerate(self.row_names)}
        begun = self.mean_row.repeat(len(names), 1)
        known = [place for place, name in enumerate(names) if name in index]
        if known and self.rows is not None:
            begun[known] = self.rows[[index[names[place]] for place in known]]
        return begun


def save_release(release: Release, folder: str | Path) -> Path:
    """Write a release as a folder, whole or not at all; an older release there is replaced."""
    folder = Path(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror})") from None
    try:
        trunk = {name: tensor.detach().cpu().contiguous() for name, tensor in release.weights.items()}
        save_file(trunk | {"mean_row": release.mean_row.cpu().contiguous()}, temporary / "weights.safetensors")
        if release.rows is not None:
            save_file({"rows": release.rows.cpu().contiguous()}, temporary / "rows.safetensors")
            names = "".join(f"{name}\n" for name in release.row_names)
            (temporary / "rows.txt").write_text(names, encoding="utf-8")
        config = {"format": FORMAT, "model": dataclasses.asdict(release.config), "about": dict(release.about)}
        (temporary / "config.json").write_text(json.dumps(config, indent=1) + "\n")
        temporary.chmod(0o755)
        _replace_folder(temporary, folder)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{folder}: the release cannot be written ({error})") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _replace_folder(new: Path, place: Path) -> None:
    if not place.exists():
        os.rename(new, place)
        return
    may_be_replaced(place)
    old = Path(tempfile.mkdtemp(prefix=f".{place.name}.old.", dir=place.parent))
    try:
        os.rename(place, old / "release")  # folders cannot be exchanged in one step everywhere
        os.rename(new, place)
    except BaseException:
        if not place.exists():
            os.rename(old / "release", place)
        raise
    finally:
        if place.exists():
            shutil.rmtree(old, ignore_errors=True)


def may_be_replaced(place: Path) -> None:
    """Make sure that a release can be put there: nothing, an empty folder, or an older release.

    Raises:
        InputError: there is something else.
    """
    if not place.exists() or (place.is_dir() and not any(place.iterdir())):
        return
    try:
        read_config(place)
    except InputError:  # other projects' models have a config.json too
        message = f"{place}: holds something other than a release; choose an empty or a new folder"
        raise InputError(message) from None


def read_config(folder: str | Path) -> tuple[ModelConfig, dict[str, Any]]:
    """A release's model configuration and where it comes from, without its weights."""
    path = Path(folder) / "config.json"
    if not Path(folder).is_dir():
        raise InputError(f"{folder}: there is no such release folder")
    values = read_json(path)
    if not isinstance(values, dict) or values.get("format") != FORMAT or not isinstance(values.get("model"), dict):
        raise InputError(f"{path}: not the configuration of an arckit release of format {FORMAT}")
    about = values.get("about", {})
    if not isinstance(about, dict):
        raise InputError(f'{path}: "about": found {describe(about)}, expected an object')
    return from_json(ModelConfig, values["model"], str(path)), about


def load_release(folder: str | Path) -> Release:
    """Read a release folder.

    Raises:
        InputError: a file that is missing or damaged, weights of another architecture, rows without names.
    """
    folder = Path(folder)
    config, about = read_config(folder)
    weights = _load(folder / "weights.safetensors")
    if "mean_row" not in weights:
        raise InputError(f"{folder / 'weights.safetensors'}: no mean_row; is this an arckit release?")
    mean_row = weights.pop("mean_row")
    rows, names = None, []
    if (folder / "rows.safetensors").exists() or (folder / "rows.txt").exists():
        rows = _load(folder / "rows.safetensors").get("rows")
        if rows is None:
            raise InputError(f"{folder / 'rows.safetensors'}: no tensor named rows")
        names = _names(folder / "rows.txt")
    try:
        release = Release(config, weights, mean_row, names, rows, about)
        release.model()  # another architecture shows here, before anything is spent on it
    except InputError as error:
        raise InputError(f"{folder}: {error}") from None
    return release


def _load(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path}: damaged or not safetensors ({error})") from None


def _names(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None


def import_reference(
    checkpoint: Path, identifiers: Path, config: Mapping[str, Any], about: Mapping[str, Any]
) -> Release:
    """Turn a public reference checkpoint into a release that remembers n, T, N_sup and every row's name.

    Args:
        checkpoint: `torch.save` of a state dict; only tensors are read, never code.
        identifiers: the reference's `identifiers.json`, the row names in order. Row 0 is its blank row.
        config: the reference's configuration.
    """
    try:
        weights = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{checkpoint}: there is no such file") from None
    except Exception as error:  # torch raises half a dozen kinds for a damaged or foreign file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{checkpoint}: not a torch file of plain tensors ({reason[:200]})") from None
    if not isinstance(weights, dict) or not all(
        isinstance(k, str) and isinstance(v, Tensor) for k, v in weights.items()
    ):
        raise InputError(f"{checkpoint}: found a {type(weights).__name__}, expected a state dict of tensors")
    names = read_json(identifiers)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{identifiers}: expected a list of names, one a row")
    model, rows = load_reference(config, weights)
    if len(names) != len(rows):
        raise InputError(f"{identifiers}: {len(names)} names, but {checkpoint} has {len(rows)} rows")
    if len(set(names)) != len(names):
        raise InputError(f"{identifiers}: a name is there twice, expected each once")
    kept = [row for row, name in enumerate(names) if name != "<blank>"]
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    if not kept:  # Sudoku's and mazes' checkpoints: one row, shared by all
        return Release(model.config, state, rows.mean(0), about=about)
    rows = rows[kept]
    return Release(model.config, state, rows.mean(0), [names[row] for row in kept], rows, about)
