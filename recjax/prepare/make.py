"""Typed columns and tables from values in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
import pyarrow as pa

from recjax.tables.columns import Type
from recjax.tables.typed import Ragged, Table, TypedColumn
from recjax.text.column import Texts, offsets_of, pack

Values = Sequence | pl.Series | np.ndarray


def entity(ids: Texts | Values, *columns: TypedColumn) -> Table:
    """Returns a table of entities, one of each id."""
    labels = ids if isinstance(ids, Texts) else pack(pl.Series(ids, dtype=pl.String))
    codes = np.arange(len(labels), dtype=np.int32)
    return table(TypedColumn("id", "id", codes, labels), *columns)


def table(*columns: TypedColumn) -> Table:
    """Returns a table of columns of one length."""
    rows = {len(column.values) for column in columns}
    if len(rows) > 1:
        raise ValueError(f"columns of {sorted(rows)} rows")
    return Table(rows.pop() if rows else 0, {c.name: c for c in columns})


def refers(
    name: str, codes: np.ndarray | Ragged, to: Table, type: Type = "id"
) -> TypedColumn:
    """Returns a column whose codes are rows of a table of entities."""
    return TypedColumn(name, type, codes, to["id"].vocabulary)


def text(name: str, values: Values) -> TypedColumn:
    """Returns a column of texts; None counts as ""."""
    return TypedColumn(name, "text", pack(pl.Series(values, dtype=pl.String)))


def number(name: str, values: Values) -> TypedColumn:
    """Returns a column of numbers; None becomes NaN."""
    numbers = pl.Series(values, dtype=pl.Float32).fill_null(float("nan"))
    return TypedColumn(name, "number", numbers.to_numpy())


def category(name: str, values: Values, known: Sequence[str] = ()) -> TypedColumn:
    """Returns a column of categories, numbered from 1; None and "" are 0.

    Args:
      name: the column's name.
      values: one category a row.
      known: categories that are numbered first; others follow as they appear.
    """
    series = pl.Series(values, dtype=pl.String).fill_null("")
    labels = pl.concat([pl.Series(["", *known], dtype=pl.String), series])
    labels = labels.unique(maintain_order=True)
    return TypedColumn(name, "category", index_of(series, labels), pack(labels))


def categories(name: str, values: Iterable[Sequence[str]]) -> TypedColumn:
    """Returns a column of any number of categories a row."""
    rows = [list(row) for row in values]
    flat = pl.Series([one for row in rows for one in row], dtype=pl.String)
    labels = flat.unique(maintain_order=True)
    codes = Ragged(offsets_of(np.array([*map(len, rows)])), index_of(flat, labels))
    return TypedColumn(name, "categories", codes, pack(labels))


def index_of(values: pl.Series, ids: pl.Series) -> np.ndarray:
    """Returns i32: the position of each value in `ids` (distinct); -1 if not there."""
    known = pl.DataFrame({"id": ids, "at": np.arange(len(ids), dtype=np.int32)})
    found = pl.DataFrame({"id": values}).join(
        known, on="id", how="left", maintain_order="left"
    )
    return found["at"].fill_null(-1).to_numpy()


def joined(columns: Sequence[TypedColumn]) -> TypedColumn:
    """Returns columns of one type end to end; labels are numbered as they appear."""
    first = columns[0]
    if first.labels is not None:
        labels = union(column.vocabulary for column in columns)
        columns = [relabelled(column, labels) for column in columns]
        first = columns[0]
    values: np.ndarray | Ragged | Texts
    if isinstance(first.values, Texts):
        starts = [np.diff(column.texts.offsets) for column in columns]
        data = np.concatenate([column.texts.data for column in columns])
        values = Texts(data, offsets_of(np.concatenate(starts)))
    elif isinstance(first.values, Ragged):
        starts = [np.diff(column.ragged.start) for column in columns]
        data = np.concatenate([column.ragged.values for column in columns])
        values = Ragged(offsets_of(np.concatenate(starts)), data)
    else:
        values = np.concatenate([column.array for column in columns])
    return replace(first, values=values)


def recoded(column: TypedColumn, at: np.ndarray, labels: Texts | None) -> TypedColumn:
    """Returns a column whose code `c` becomes `at[c]`; -1 stays."""
    at = np.append(at, np.int32(-1))
    if isinstance(column.values, Ragged):
        values = Ragged(column.values.start, at[column.values.values])
    else:
        values = at[column.array]
    return replace(column, values=values, labels=labels)


def relabelled(column: TypedColumn, labels: Texts) -> TypedColumn:
    """Returns a column by other labels, among which are all of its own."""
    if column.labels is labels:
        return column
    at = index_of(series(column.vocabulary), series(labels))
    return recoded(column, at, labels)


def union(each: Iterable[Texts]) -> Texts:
    """Returns all labels once, as they appear; never many more at once than it has."""
    held, more, size = None, [], 0
    for texts in each:
        if held is None:
            held = texts
            continue
        more, size = [*more, texts], size + len(texts)
        if size >= len(held):
            held, more, size = _distinct([held, *more]), [], 0
    if held is None:
        return pack([])
    return _distinct([held, *more]) if more else held


def _distinct(each: Sequence[Texts]) -> Texts:
    return pack(pl.concat(map(series, each)).unique(maintain_order=True))


def series(texts: Texts) -> pl.Series:
    """Returns texts as a polars series."""
    starts = np.ascontiguousarray(texts.offsets, np.int64)
    buffers = (pa.py_buffer(starts), pa.py_buffer(np.ascontiguousarray(texts.data)))
    return pl.Series(pa.LargeStringArray.from_buffers(len(texts), *buffers))
