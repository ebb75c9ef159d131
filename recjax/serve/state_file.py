"""Files of arrays by name, which appear whole."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recjax.errors import UserError

_BROKEN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes one file; the old one is replaced once the new one is whole.

    Raises:
      UserError: it cannot be written.
    """
    named: dict[str, Any] = dict(arrays)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("wb") as file:
            np.savez(file, **named)
        part.replace(path)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"cannot write the states {path}: {reason}") from error
    finally:
        part.unlink(missing_ok=True)


def read_arrays(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns arrays by name.

    Raises:
      UserError: the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in names}
    except _BROKEN as error:
        raise UserError(f"{path}: no readable states ({error})") from error


def read_texts(path: Path, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Returns the JSON objects that lie as texts among the arrays.

    Raises:
      UserError: the file is missing or damaged.
    """
    found = {}
    for name, array in read_arrays(path, names).items():
        try:
            found[name] = json.loads(bytes(array))
        except ValueError as error:
            raise UserError(f"{path}: no readable states ({error})") from error
        if not isinstance(found[name], dict):
            raise UserError(f"{path}: no readable states ({name} is no object)")
    return found


def refuse_other(
    path: str | Path, of: Mapping[str, str], own: Mapping[str, str]
) -> None:
    """Checks that states are of a model, which the items are part of.

    Args:
      path: of the states.
      of: what they are of, as text by kind.
      own: what the model is of.

    Raises:
      UserError: they are of another one.
    """
    if of.get("model") == own.get("model"):
        return
    was, is_ = (
        f"{one.get('bundle', 'a model')} of {one.get('data', 'data of its own')}"
        for one in (of, own)
    )
    raise UserError(
        f"{path}: the states are of another model\n  was {was}\n  is  {is_}\n"
        "  Fix: give that bundle, or feed the events to this one, into other states"
    )
