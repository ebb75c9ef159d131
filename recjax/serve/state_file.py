"""Files that hold users' states: arrays by name, one row a user."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from recjax.errors import UserError

USERS = "users"
_BROKEN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


def write_states(
    path: Path, users: Sequence[str], arrays: Mapping[str, np.ndarray]
) -> None:
    """Writes the states of users; see `write_arrays`."""
    ids = np.frombuffer(json.dumps(list(users)).encode(), np.uint8)
    write_arrays(path, {USERS: ids, **arrays})


def read_states(
    path: Path, like: Mapping[str, np.ndarray]
) -> tuple[list[str], dict[str, np.ndarray]]:
    """Returns the users and the arrays of a file.

    Args:
      path: what `write_states` wrote.
      like: an array of no users of each name; the file's must match.

    Raises:
      UserError: the file is missing, damaged, or of another model.
    """
    held = read_arrays(path, (USERS, *like))
    users = json.loads(bytes(held.pop(USERS)))
    for name, empty in like.items():
        shape = (len(users), *empty.shape[1:])
        if held[name].shape != shape or held[name].dtype != empty.dtype:
            raise UserError(
                f"{path}: {name} is {held[name].shape}, this model keeps {shape}: the "
                "states are of another model"
            )
    return users, held


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes one file; the old one is replaced once the new one is whole.

    Raises:
      UserError: it cannot be written.
    """
    named = {name.replace("/", "."): array for name, array in arrays.items()}
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("wb") as file:
            np.savez(file, **named)
        part.replace(path)
    except OSError as error:
        raise UserError(
            f"cannot write the states {path}: {error.strerror or error}"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def read_arrays(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns arrays by name.

    Raises:
      UserError: the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name.replace("/", ".")] for name in names}
    except _BROKEN as error:
        raise UserError(f"{path}: no readable states ({error})") from error
