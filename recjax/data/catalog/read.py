"""Reading a prepared catalogue back, without TensorFlow."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recjax.data import records
from recjax.data.catalog.entities import Catalog, Entities, Pairs, Vectors
from recjax.errors import UserError
from recjax.tables.old.entity_schema import CREATED, ENTITIES, TABLES
from recjax.text.column import Texts, offsets_of

MAPPED = "columns"
MAP_OVER = 4 << 30
"""Bytes of a prepared catalogue over which its columns stay on disk."""


def load_catalog(path: str | Path, *, map_over: int = MAP_OVER) -> Catalog:
    """Reads a prepared catalogue.

    Args:
      path: its folder.
      map_over: where the catalogue is larger, in bytes, its columns are written to
        files in `path` once and memory-mapped, so that they need not fit in memory.

    Raises:
      UserError: `path` is missing, damaged, holds another kind of data, or its columns
        cannot be written.
    """
    path = Path(path)
    about = records.expect(path, "catalog")
    mapped = sum(about.get("bytes", {}).values()) > map_over

    def columns(config: str) -> dict[str, np.ndarray]:
        if not mapped:
            return _in_memory(path, config)
        try:
            return _on_disk(path, config)
        except OSError as error:
            raise UserError(
                f"Cannot write the columns of {path}: {error.strerror or error}. Free "
                "some space there, or make it writable."
            ) from error

    return Catalog(
        queries=_texts(columns("queries"), "texts"),
        actions=tuple(_texts(columns("actions"), "texts")),
        pairs=Pairs(**columns("pairs")),
        entities={kind: _entities(columns(TABLES[kind])) for kind in ENTITIES},
    )


def _entities(columns: Mapping[str, np.ndarray]) -> Entities:
    names = dict.fromkeys(name.rpartition("/")[0] for name in columns)
    return Entities(
        ids=_texts(columns, "ids"),
        texts={
            name.removeprefix("text."): _texts(columns, name)
            for name in names
            if name.startswith("text.")
        },
        dense={
            name.removeprefix("dense."): Vectors(
                columns[f"{name}/values"], offsets_of(columns[f"{name}/counts"])
            )
            for name in names
            if name.startswith("dense.")
        },
        created=columns.get(CREATED),
    )


def _texts(columns: Mapping[str, np.ndarray], name: str) -> Texts:
    return Texts(columns[f"{name}/data"], offsets_of(columns[f"{name}/lengths"]))


def _flat(record: Mapping[str, Any], start: str = "") -> dict[str, np.ndarray]:
    found = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            found.update(_flat(value, f"{start}{name}/"))
        else:
            found[start + name] = value
    return found


def _in_memory(path: Path, config: str) -> dict[str, np.ndarray]:
    parts = defaultdict(list)
    for record in records.read(path, config, block=1):
        for name, value in _flat(record).items():
            parts[name].append(value)
    # One column at a time, so that only one stands in memory twice.
    return {name: np.concatenate(parts.pop(name)) for name in list(parts)}


def _on_disk(path: Path, config: str) -> dict[str, np.ndarray]:
    """Returns the columns as memory maps of files, which it writes if missing."""
    place = path / MAPPED / config
    if not (place / "shapes.json").is_file():
        work = path / MAPPED / f".{config}-{os.getpid()}"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        try:
            _write_columns(path, config, work)
            # Another process may have been faster.
            with contextlib.suppress(OSError):
                work.rename(place)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    found = {}
    for name, (dtype, shape) in json.loads((place / "shapes.json").read_text()).items():
        file, shape = place / name.replace("/", "."), tuple(shape)
        if np.prod(shape):
            found[name] = np.memmap(file, dtype, "r", shape=shape)
        else:  # a file without bytes cannot be mapped
            found[name] = np.zeros(shape, dtype)
    return found


def _write_columns(path: Path, config: str, folder: Path) -> None:
    shapes = {}
    with contextlib.ExitStack() as stack:
        files = {}
        for record in records.read(path, config, block=1):
            for name, value in _flat(record).items():
                if name not in files:
                    file = open(folder / name.replace("/", "."), "wb")
                    files[name] = stack.enter_context(file)
                    shapes[name] = [value.dtype.str, [0, *value.shape[1:]]]
                files[name].write(np.ascontiguousarray(value).data)
                shapes[name][1][0] += len(value)
    (folder / "shapes.json").write_text(json.dumps(shapes))
