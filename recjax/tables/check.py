"""Checks over a whole table that was read: rows given twice, ids that are unknown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from recjax.tables.report import LISTED, Findings
from recjax.tables.result import Read
from recjax.tables.typed import Ragged, TypedColumn


def given_twice(
    read: Read, names: Sequence[str], kind: str, findings: Findings
) -> np.ndarray:
    """Returns bool[n]: which rows have the values of an earlier row in these columns.

    Each is a problem that names the row of the first.

    Args:
      read: the table.
      names: columns of type id, category, number or timestamp.
      kind: the problem in a few words, such as "id given twice".
      findings: where problems go.
    """
    keys = pl.DataFrame({name: read.table[name].array for name in names})
    again = ~keys.select(pl.struct(names).is_first_distinct()).to_series().to_numpy()
    at = np.flatnonzero(again)
    if at.size:
        keys = keys.with_row_index("at")
        parts, rows = read.rows(at)
        order = np.lexsort((rows, parts))
        at, parts = at[order], parts[order]
        told = np.arange(len(at)) - np.searchsorted(parts, parts) < LISTED
        lost = keys[at[told]]
        firsts = keys.unique(names, keep="first")
        first = lost.join(firsts, on=names, how="left", maintain_order="left")
        parts, rows = read.rows(first["at_right"].to_numpy())
        shown = np.full(len(at), None, object)
        shown[told] = [
            ", ".join(_shown(read.table[name], i) for name in names)
            + _place(read, p, r)
            for i, p, r in zip(at[told].tolist(), parts, rows, strict=True)
        ]
        fix = "keep one of the rows"
        read.tell(findings, ", ".join(names), kind, at, shown, fix, quote=False)
    return again


def unknown_ids(
    read: Read, name: str, lost: np.ndarray, what: str, findings: Findings, fix: str
) -> np.ndarray:
    """Returns bool[n]: which rows have an id that is not known.

    Each is a problem. Of a column of type "ids" one unknown id is enough.

    Args:
      read: the table.
      name: a column of type id or ids.
      lost: bool[labels], those of its labels that are unknown.
      what: they are ids of, such as "item".
      findings: where problems go.
      fix: what to do.
    """
    column, bad = read.table[name], np.zeros(read.table.rows, bool)
    if not lost.any():
        return bad
    lost = np.append(lost, False)  # a missing id is not unknown
    if isinstance(column.values, Ragged):
        codes, start = column.ragged.values, column.ragged.start
        rows = np.repeat(np.arange(len(start) - 1), np.diff(start))
        at, first = np.unique(rows[lost[codes]], return_index=True)
        codes = codes[lost[codes]][first]
    else:
        at = np.flatnonzero(lost[column.array])
        codes = column.array[at]
    bad[at] = True
    shown = TypedColumn(name, "text", column.vocabulary).take(codes).texts
    read.tell(findings, name, f"unknown {what}", at, shown, fix)
    return bad


def _shown(column: TypedColumn, row: int) -> str:
    value = column.array[row]
    if column.labels is not None:
        return column.labels[value] if value >= 0 else ""
    if column.type == "timestamp":
        return str(np.datetime64(int(value), "ns")).rstrip("0").rstrip(".")
    return f"{value:g}"


def _place(read: Read, part: int, row: int) -> str:
    file = f" of {read.source.parts[part].name}" * (len(read.source.parts) > 1)
    return f" (first in row {row}{file})"
