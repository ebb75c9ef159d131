"""Writing a prepared data set so that it appears at once and whole."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from recjax import disk
from recjax.data.prepared import (
    ABOUT,
    COLUMNS,
    FORMAT,
    digest_of,
    file_keys,
    owner,
)
from recjax.errors import UserError
from recjax.prepare.records import Stored, write_records
from recjax.tables.typed import Table, TypedColumn

MARK = ".partial-"
FIX = "free space, or choose a folder you may write with --out or $RECJAX_CACHE"


@dataclass(frozen=True)
class Data:
    """A data set in memory, ready to be written.

    Attributes:
      tables: entities, "events" and "judgements" by name. A column of ids whose
        `labels` are those of an entity's `id` refers to the rows of that entity.
      settings: how it was made.
      extends: digests of the data sets whose rows it keeps, the oldest first.
    """

    tables: Mapping[str, Table]
    settings: Mapping[str, Any] = field(default_factory=dict)
    extends: tuple[str, ...] = ()


def write(
    data: Data,
    path: Path,
    *,
    source: Mapping[str, Any],
    command: str,
    extra: Mapping[str, Callable[[Path], None]] | None = None,
) -> Path:
    """Writes a data set beside its place and moves it there.

    A folder that an earlier preparation made is replaced; any other is left alone.

    Args:
      data: the data set.
      path: folder of the data set.
      source: what the data was made from; equal means nothing to do.
      command: that makes it.
      extra: file name -> function that writes it.

    Returns:
      `path`.

    Raises:
      UserError: `path` is taken, or cannot be written.
    """
    path = Path(os.path.abspath(path))
    if path.exists() and not (path / ABOUT).is_file():
        if not path.is_dir() or any(path.iterdir()):
            raise UserError(
                f"{path} exists and is no prepared data set: choose another --out."
            )
    work = work_folder(path)
    try:
        with disk.writing("the prepared data set", path, FIX):
            path.parent.mkdir(parents=True, exist_ok=True)
            sweep(path)
            shutil.rmtree(work, ignore_errors=True)
            staged = work / path.name
            staged.mkdir(parents=True)
            digest = digest_of(data.tables)
            about = {
                "format": FORMAT,
                "tables": _write_tables(data.tables, staged),
                "settings": dict(data.settings),
                "digest": digest,
                "extends": [one for one in data.extends if one != digest],
                "command": command,
                "source": source,
                "bytes": _sizes(staged),
            }
            for name, write_file in (extra or {}).items():
                write_file(staged / name)
            (staged / ABOUT).write_text(json.dumps(about, indent=1) + "\n")
            if path.exists():
                path.rename(work / "replaced")
            staged.rename(path)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return path


def is_prepared(path: Path, source: Mapping[str, Any]) -> bool:
    """Returns whether a folder holds a data set that was made from `source`."""
    try:
        about = json.loads((path / ABOUT).read_text())
    except (OSError, ValueError):
        return False
    same = about.get("source") == json.loads(json.dumps(source))
    return about.get("format") == FORMAT and same


def _write_tables(tables: Mapping[str, Table], folder: Path) -> dict[str, Any]:
    """Writes every table, entities first, and returns what is told about each."""
    told = {}
    for name in sorted(tables, key=lambda n: "id" not in tables[n]):
        table, columns, kinds = tables[name], {}, {}
        for column, key in file_keys(table.columns).items():
            found = table[column]
            of = owner(found, tables)
            columns[key] = _stored(found, of)
            kind = {"type": found.type, "width": found.width, "of": of}
            if columns[key].labels is not None:
                kind["labels"] = len(columns[key].labels)
            kinds[column] = {k: v for k, v in kind.items() if v is not None}
        place = folder / COLUMNS / name
        place.mkdir(parents=True)
        for key, stored in columns.items():
            for suffix, values in stored.arrays().items():
                _save(place / f"{key}{suffix}.npy", values)
        write_records(folder / name, name, table.rows, columns)
        told[name] = {"rows": table.rows, "columns": kinds}
    return told


def _stored(column: TypedColumn, of: str | None) -> Stored:
    if column.name == "id" and column.labels is not None:
        return Stored(column.labels)  # Its codes are the rows themselves.
    return Stored(column.values, column.labels if of is None else None)


def _save(path: Path, values: np.ndarray) -> None:
    # np.save tells of a full disk without the error's number.
    values = np.ascontiguousarray(values)
    with open(path, "wb") as file:
        header = np.lib.format.header_data_from_array_1_0(values)
        np.lib.format.write_array_header_1_0(file, header)
        file.write(values.data)


def _sizes(folder: Path) -> dict[str, int]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(file.relative_to(folder)): file.stat().st_size for file in files}


def work_folder(path: Path, what: str = "") -> Path:
    """Returns where this process keeps something until a data set is whole."""
    own = f"{socket.gethostname()}-{os.getpid()}"
    return path.parent / f".{path.name}{MARK}{own}{what and f'.{what}'}"


def sweep(path: Path) -> None:
    """Deletes what killed preparations of `path` on this machine left behind."""
    start = f".{path.name}{MARK}{socket.gethostname()}-"
    for left in path.parent.glob(f"{start}*"):
        pid = left.name.removeprefix(start).partition(".")[0]
        if pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
