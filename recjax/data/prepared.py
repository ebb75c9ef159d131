"""Prepared data sets: found by name under the cache or by path, and opened mapped.

A data set is a folder. `prepared.json` says which tables it has, with the type of each
column, how they were made, and a digest of ids and schema; `columns/` has every column
as plain .npy files, which are memory-mapped; a folder a table holds the same rows as
array_record in TFDS's layout, for whoever reads them with that.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from recjax import disk, shown
from recjax.data.column_facts import facts
from recjax.data.long_columns import blocks
from recjax.errors import UserError, nearest
from recjax.paths import prepared_root
from recjax.seconds import SECOND_NS
from recjax.shown import Shown
from recjax.tables.typed import MISSING_TIME, Ragged, Table, TypedColumn
from recjax.text.column import Texts, pack

ABOUT = "prepared.json"
COLUMNS = "columns"
FORMAT = 2
BUILT_IN = (
    *("foursquare_nyc", "globo", "grocery_store", "home_depot", "invented_catalog"),
    *("invented_catalog_tiny", "movielens_100k", "tmall", "toys"),
)
"""Data sets that recjax knows how to get."""
AGAIN = "delete that folder and prepare it again"


@dataclass(frozen=True)
class Prepared:
    """A prepared data set.

    Attributes:
      path: its folder.
      about: what `prepared.json` says.
    """

    path: Path
    about: Mapping[str, Any]

    @classmethod
    def open(cls, name: str | Path) -> Prepared:
        """Opens a data set by name or path; nothing but its description is read.

        Raises:
          UserError: it is not prepared, was prepared by an older recjax, or is damaged.
        """
        path = prepared_path(name)
        return cls(path, read_about(path))

    @property
    def digest(self) -> str:
        """The identity of its ids and schema; see `digest_of`."""
        return self.about["digest"]

    @property
    def extends(self) -> tuple[str, ...]:
        """Digests of the data sets whose rows it keeps, the oldest first."""
        return tuple(self.about.get("extends", ()))

    @property
    def settings(self) -> Mapping[str, Any]:
        """How it was made: `unit`, `gap`, `longest`, `levels` ..., where they apply."""
        return self.about["settings"]

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of its tables."""
        return tuple(self.about["tables"])

    def __repr__(self) -> str:
        """Returns its name, and what its tables hold."""
        tables = self.about["tables"].items()
        sizes = ", ".join(f"{told['rows']:,} {name}" for name, told in tables)
        return f"<data {self.path.name}: {sizes}>"

    def describe(self) -> Shown:
        """Returns the tables with their columns: type, distinct values or range."""
        return Shown("\n\n".join(map(self._described, self.tables)))

    def _repr_html_(self) -> str:
        return Shown(f"{self!r}\n\n{self.describe()}")._repr_html_()

    def _described(self, name: str) -> str:
        known = self.table(name)
        rows = [(c.name, c.type, *facts(c)) for c in known.columns.values()]
        head = ("  column", "type", "values", "for example")
        cells = [head, *((f"  {first}", *rest) for first, *rest in rows)]
        return f"{name}: {known.rows:,} rows\n{shown.table(cells)}"

    def table(self, name: str, *needs: str) -> Table:
        """Returns a table, memory-mapped.

        Args:
          name: "events", "judgements", or an entity such as "item".
          needs: columns that must be there.

        Raises:
          UserError: there is no such table or column, or a file is missing or cut.
        """
        if name not in self.about["tables"]:
            raise UserError(
                f"{self.path} has no {name}; it has {', '.join(self.tables)}. Prepare "
                f"it with {name}, or take other data"
            )
        table = self._tables[name]
        for column in needs:
            if column not in table:
                raise UserError(
                    f"the {name} of {self.path} have no column {column!r}; they have "
                    f"{', '.join(table.columns)}"
                )
        return table

    @cached_property
    def _tables(self) -> Mapping[str, Table]:
        self._check_sizes()
        found: dict[str, Table] = {}
        # Entities come first: other tables share their labels.
        for name, told in self.about["tables"].items():
            keys, columns = file_keys(told["columns"]), {}
            for column, kind in told["columns"].items():
                labels = found[kind["of"]]["id"].labels if kind.get("of") else None
                files = self.path / COLUMNS / name / keys[column]
                columns[column] = _mapped(column, kind, files, labels)
            found[name] = Table(told["rows"], columns)
        return found

    def _check_sizes(self) -> None:
        for name, size in self.about["bytes"].items():
            file = self.path / name
            has = file.stat().st_size if file.is_file() else None
            if has != size:
                was = "is not there" if has is None else f"has {has:,} bytes"
                raise UserError(
                    f"Cannot read the prepared data set {self.path}: {name} {was}, "
                    f"{size:,} bytes were written. {AGAIN.capitalize()}."
                )


def place(name: str | Path) -> Path:
    """Returns the folder of a data set: a path as it is, a bare name under the cache.

    Args:
      name: "mine" is `$RECJAX_CACHE/prepared/mine`; "./mine" and "/a/mine" are paths.
    """
    text = os.fspath(name)
    if isinstance(name, Path) or os.sep in text or text in (".", ".."):
        return Path(name).expanduser()
    return prepared_root() / text


def prepared_path(name: str | Path) -> Path:
    """Returns the folder of a prepared data set.

    Args:
      name: a name or a path; see `place`.

    Raises:
      UserError: it is not prepared; names what is, and the command to prepare it.
    """
    path = place(name)
    if (path / ABOUT).is_file():
        return path
    ready = sorted(p.parent.name for p in prepared_root().glob(f"[!.]*/{ABOUT}"))
    hint = nearest(path.name, {*ready, *BUILT_IN})
    if path.name in BUILT_IN and path == place(path.name):
        hint = f" Run `recjax data prepare {path.name}` first."
    known = ", ".join(ready) or "nothing"
    raise UserError(
        f"There is no prepared data set at {path}.{hint} Prepared so far: {known}."
    )


def read_about(path: Path) -> Mapping[str, Any]:
    """Returns what `prepare` wrote about the data set in folder `path`.

    Raises:
      UserError: `path` holds no data set of this format.
    """
    try:
        found = disk.read_json(path / ABOUT, AGAIN)
    except OSError as error:
        raise UserError(
            f"{path} is not a prepared data set ({ABOUT}: {error.strerror}). Make one "
            "with `recjax data prepare`."
        ) from error
    if found.get("format") != FORMAT:
        built_in = found.get("source", {}).get("name", "--events FILE ...")
        raise UserError(
            f"{path} was prepared by an older recjax; prepare it again with: recjax "
            f"data prepare {built_in} (see docs/your_own_data.md)"
        )
    kinds = {"tables": dict, "settings": dict, "bytes": dict, "digest": str}
    return disk.read_json(path / ABOUT, AGAIN, **kinds)


def file_keys(names: Mapping[str, Any]) -> dict[str, str]:
    """Returns column -> its name as that of a file, distinct among those of a table."""
    found: dict[str, str] = {}
    for number, name in enumerate(names):
        key = re.sub(r"[^A-Za-z0-9_]+", "_", name)[:40]
        found[name] = f"{key}_{number}" if key in found.values() or not key else key
    return found


def owner(column: TypedColumn, tables: Mapping[str, Table]) -> str | None:
    """Returns the entity whose ids a column's codes stand for; None for its own."""
    for name, table in tables.items():
        if "id" in table and table["id"].labels is column.labels is not None:
            return None if table["id"] is column else name
    return None


def digest_of(tables: Mapping[str, Table]) -> str:
    """Returns the SHA-256 of ids, labels, names and types: what rows of a model mean.

    Two data sets of one digest differ in events and values alone, so that a model of
    one can go on with the other.
    """
    found = hashlib.sha256()
    for name in sorted(tables):
        for column in sorted(tables[name].columns.values(), key=lambda c: c.name):
            of = owner(column, tables)
            told = (name, column.name, column.type, column.width, of)
            found.update(repr(told).encode())
            if column.labels is not None and of is None:
                found.update(np.ascontiguousarray(column.labels.offsets, "<i8").data)
                found.update(np.ascontiguousarray(column.labels.data).data)
    return found.hexdigest()


def seconds(column: TypedColumn) -> np.ndarray:
    """Returns a timestamp column as i64 seconds, fractions cut; 0 where missing."""
    found = np.empty(len(column.values), np.int64)
    for place, values in blocks(np.asarray(column.values)):
        found[place] = np.where(values == MISSING_TIME, 0, values // SECOND_NS)
    return found


def as_texts(column: TypedColumn) -> Texts:
    """Returns a column of text or categories as one text a row."""
    if isinstance(column.values, Texts):
        return column.values
    if column.labels is None:
        raise ValueError(f"column {column.name!r} of type {column.type} is no text")
    if isinstance(column.values, Ragged):
        rows = (column.labels.take(row) for row in column.ragged)
        return pack([" ".join(row) for row in rows])
    return TypedColumn("", "text", column.labels).take(column.array).texts


def _mapped(
    name: str, told: Mapping[str, Any], files: Path, labels: Texts | None
) -> TypedColumn:
    def part(suffix: str = "") -> np.ndarray:
        try:
            return np.load(f"{files}{suffix}.npy", mmap_mode="r")
        except (OSError, ValueError) as error:
            raise UserError(
                f"Cannot read the prepared data set: {files}{suffix}.npy: {error}. "
                f"{AGAIN.capitalize()}."
            ) from error

    kind, width = told["type"], told.get("width")
    if name == "id":
        own = Texts(part(), part(".start"))
        codes = np.arange(len(own), dtype=np.int32)
        return TypedColumn(name, kind, codes, own, width)
    if "labels" in told:
        labels = Texts(part(".labels"), part(".labels.start"))
    values = part()
    if kind in ("text", "image"):
        values = Texts(values, part(".start"))
    elif kind in ("ids", "categories", "vector", "bits"):
        values = Ragged(part(".start"), values)
    return TypedColumn(name, kind, values, labels, width)
