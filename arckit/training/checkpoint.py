"""A checkpoint: everything needed to go on as if nothing had happened, in one file that is replaced whole.

It does not depend on the number of processes: seats are stored for all of them, and each takes its own.
"""

import os
from pathlib import Path
from typing import Any

import torch

from arckit.errors import InputError

NAME = "checkpoint.pt"


def save_checkpoint(state: dict[str, Any], folder: Path) -> None:
    """Write `folder/checkpoint.pt`; until the new one is complete and on the disk, the old one stays."""
    path, temporary = folder / NAME, folder / f".{NAME}"  # one name, so that kills leave one file at most
    try:
        with open(temporary, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
        raise InputError(f"{path}: the checkpoint cannot be written ({error})") from None
    finally:
        temporary.unlink(missing_ok=True)


def load_checkpoint(folder: Path) -> dict[str, Any]:
    """Read `folder/checkpoint.pt`: tensors and plain values only, never code."""
    path = folder / NAME
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such checkpoint") from None
    except Exception as error:  # torch raises half a dozen kinds for a damaged file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: damaged, or not a checkpoint ({reason[:200]})") from None
    if not isinstance(state, dict) or "fingerprint" not in state:
        raise InputError(f"{path}: a torch file, but not a checkpoint of arckit's")
    return state
