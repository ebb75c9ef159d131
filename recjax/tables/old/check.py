"""Checking a table that was read: options, values, ids given twice, unknown ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from recjax.errors import UserError, nearest
from recjax.tables.old.columns import Column, Table
from recjax.tables.old.convert import Unit, convert
from recjax.tables.report import Findings


def known_columns(
    columns: Mapping[str, str] | None, schema: Sequence[Column]
) -> Mapping[str, str]:
    """Returns `columns` after checking that the schema has their names.

    Raises:
      UserError: it does not.
    """
    known = list(dict.fromkeys(column.name for column in schema))
    for name in columns or {}:
        if name not in known:
            raise UserError(
                f"--column {name}=...: no such column here; there are "
                f"{', '.join(known)}.{nearest(name, known)}"
            )
    return columns or {}


def check_options(unit: str, encoding: str) -> None:
    """Raises a `UserError` for an unknown unit or encoding."""
    if unit not in ("s", "ms"):
        raise UserError(f"--unit {unit!r}: must be 's' or 'ms'.")
    try:
        "a".encode(encoding).decode(encoding, "surrogateescape")
    except (LookupError, ValueError):
        raise UserError(
            f"--encoding {encoding!r}: no such encoding; use utf-8, latin-1, cp1252 ..."
        ) from None


def clean(
    table: Table | None,
    schema: Sequence[Column],
    unit: Unit,
    now: float,
    findings: Findings,
) -> pl.DataFrame | None:
    """Returns the table converted, wrong values null, `good` false where one is."""
    if table is None:
        return None
    kinds = {column.name: column.kind for column in schema}
    good = pl.repeat(True, table.frame.height, eager=True)
    frame, rows = table.frame, table.frame["row"]
    for name, there in table.names.items():
        values = frame[name]
        converted = convert(values, kinds[name], unit, now)
        if converted is None:
            kind, fix = f"column of type {values.dtype}", "store text or numbers in it"
            findings.of_file(table.file, kind, fix, repr(there))
            return None
        right = pl.repeat(True, table.frame.height, eager=True)
        for kind, fix, bad in converted.problems:
            found = values.filter(bad)
            findings.of_rows(table.file, there, kind, rows.filter(bad), found, fix)
            right &= ~bad
        frame = frame.with_columns(pl.when(right).then(converted.values).alias(name))
        good &= right
    return frame.with_columns(good=good)


def known_ids(
    frame: pl.DataFrame | None,
    table: Table | None,
    corpus: pl.DataFrame | None,
    name: str,
    findings: Findings,
) -> pl.DataFrame | None:
    """Marks rows whose `name` has no good row in the corpus."""
    if frame is None or corpus is None:
        return frame
    bad = ~frame[name].is_in(corpus[name].implode()) & frame[name].is_not_null()
    lost = frame.filter(bad)
    fix = f"give the {name} a (valid) row in the table of {name}s, or delete this row"
    kind = f"unknown {name}"
    findings.of_rows(table.file, table.names[name], kind, lost["row"], lost[name], fix)
    return frame.with_columns(pl.col("good") & ~bad)


def distinct(
    frame: pl.DataFrame | None,
    table: Table | None,
    key: list[str],
    kind: str,
    findings: Findings,
) -> pl.DataFrame | None:
    """Returns the good rows, of each key the first."""
    if frame is None:
        return None
    frame = frame.filter("good").drop("good")
    again = ~frame.select(pl.struct(key).is_first_distinct()).to_series()
    if not again.any():
        return frame
    first = frame.with_columns(pl.col("row").first().over(key).alias("first"))
    lost = first.filter(again)
    shown = (
        ", ".join(map(str, row[:-1])) + f" (first in row {row[-1]})"
        for row in lost.select(*key, "first").iter_rows()
    )
    names, fix = ", ".join(table.names[k] for k in key), "keep one of the rows"
    where = lost["row"]
    findings.of_rows(table.file, names, kind, where, shown, fix, quote=False)
    return frame.filter(~again)
