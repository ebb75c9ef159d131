"""What workers leave for each other on disk, and columns that are mapped from there."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from recjax import disk
from recjax.tables.typed import Ragged, TypedColumn
from recjax.text.column import Texts


def store(path: Path, things: Mapping[str, Any]) -> None:
    """Writes things by name to a file, whole, from which each is read alone."""
    with disk.whole(path) as temporary, zipfile.ZipFile(temporary, "w") as file:
        for name, thing in things.items():
            with file.open(name, "w", force_zip64=True) as member:
                pickle.dump(thing, member, pickle.HIGHEST_PROTOCOL)


def stored(path: Path, *names: str) -> list[Any]:
    """Returns some of the things that were stored."""
    with zipfile.ZipFile(path) as file:
        return [pickle.loads(file.read(name)) for name in names]


def store_texts(path: Path, texts: Texts) -> None:
    """Writes texts, of which readers map what they need."""
    path.write_bytes(np.ascontiguousarray(texts.data).data)
    _starts(path).write_bytes(np.ascontiguousarray(texts.offsets).data)


def stored_texts(path: Path) -> Texts:
    """Returns texts that were stored, mapped."""
    like = np.zeros(0, np.uint8), np.zeros(0, np.int64)
    return Texts(_map(path, like[0]), _map(_starts(path), like[1]))


def mapped(path: Path, each: Iterator[TypedColumn]) -> TypedColumn:
    """Returns the pieces of a column end to end, from a file that is mapped."""
    first, end = next(each), 0
    starts = _starts(path)
    with path.open("wb") as data, starts.open("wb") as bounds:
        bounds.write(bytes(8))
        for column in chain([first], each):
            flat, start = _flat(column.values)
            data.write(np.ascontiguousarray(flat).data)
            if start is not None:
                bounds.write((start[1:] + end).data)
                end += start[-1]
    flat, start = _flat(first.values)
    flat = _map(path, flat)
    if start is None:
        return replace(first, values=flat)
    start = _map(starts, start)
    ragged = isinstance(first.values, Ragged)
    return replace(first, values=Ragged(start, flat) if ragged else Texts(flat, start))


def _flat(
    values: np.ndarray | Ragged | Texts,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns values end to end, and where those of each row start."""
    if isinstance(values, Ragged):
        return values.values, values.start
    return (
        (values.data, values.offsets) if isinstance(values, Texts) else (values, None)
    )


def _starts(path: Path) -> Path:
    return path.with_name(f"{path.name}.start")


def _map(path: Path, like: np.ndarray) -> np.ndarray:
    """Returns a file as rows of an array like another."""
    if not path.stat().st_size:
        return like[:0]
    return np.memmap(path, like.dtype, "r").reshape(-1, *like.shape[1:])
