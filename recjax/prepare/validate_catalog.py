"""Checking a user's catalogue: pairs, pins and products, every problem in one pass."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from recjax.errors import nearest
from recjax.tables.old.check import check_options, clean, known_columns
from recjax.tables.old.columns import Table
from recjax.tables.old.convert import Unit
from recjax.tables.old.entity_file import EntityFile, check_entities
from recjax.tables.old.entity_schema import (
    CREATED,
    DENSE,
    ENTITIES,
    ENTITY,
    PAIRS,
    TABLES,
    TEXT_FIELDS,
    TYPES,
)
from recjax.tables.old.read import read_table
from recjax.tables.report import Findings, Report

MAX_ACTIONS = 255


@dataclass(frozen=True)
class CheckedCatalog:
    """What a check found.

    Attributes:
      report: all problems.
      main: the good pairs; None if their file cannot be used.
      entities: "pin" and "product" -> the checked table, where one was given.
    """

    report: Report
    main: pl.DataFrame | None
    entities: Mapping[str, EntityFile | None]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to prepare."""
        tables = self.entities.values()
        if any(table is None or not len(table.ids) for table in tables):
            return True
        return self.main is None or not self.main.height


def validate_catalog(
    pairs: str | Path,
    *,
    pins: str | Path | None = None,
    products: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    unit: Unit = "s",
    encoding: str = "utf-8",
    now: float | None = None,
) -> CheckedCatalog:
    """Checks engagements and the tables of what was engaged with.

    The same pair may stand in several rows: each is an engagement.

    Args:
      pairs: CSV, TSV or Parquet file with columns query, candidate_id, candidate_type
        (pin, product or query; then the id is that query's text), action[, timestamp].
      pins: Parquet file with columns id and any of the fields and features of
        `catalog_schema`.
      products: the same.
      columns: recjax's column name -> the file's, where they differ.
      unit: of numeric timestamps: "s" or "ms".
      encoding: of CSV files.
      now: unix seconds; timestamps over a day later are problems (default: the clock).

    Raises:
      UserError: an argument, rather than a file, is wrong.
    """
    findings = Findings()
    columns = known_columns(columns, (*PAIRS, *ENTITY))
    check_options(unit, encoding)
    now = time.time() if now is None else now
    paths = {"pin": pins, "product": products}
    entities = {
        kind: check_entities(Path(path), columns, findings, (unit, now))
        for kind, path in paths.items()
        if path is not None
    }
    _mapped_somewhere(entities, columns, findings)
    _same_widths(entities, findings)
    table = read_table(Path(pairs), PAIRS, columns, encoding, findings)
    main = clean(table, PAIRS, unit, now, findings)
    if main is not None:
        main = _known_types(main, table, findings)
        for kind in ENTITIES:
            main = _known_ids(main, table, kind, entities, findings)
        main = main.filter("good").drop("good")
        _few_actions(main, table, findings)
    return CheckedCatalog(findings.report(), main, entities)


def _mapped_somewhere(
    entities: Mapping[str, EntityFile | None],
    columns: Mapping[str, str],
    findings: Findings,
) -> None:
    """Notes names given for columns that no table has."""
    tables = list(entities.values())
    if not tables or None in tables:
        return
    for name in (*TEXT_FIELDS, *DENSE, CREATED):
        there = columns.get(name)
        if there and not any(t.names.get(name) == there for t in tables):
            file = " and ".join(t.path.name for t in tables)
            fix = f"correct --column {name}={there}, or leave it out"
            findings.of_file(file, "missing column", fix, repr(there))


def _same_widths(entities: Mapping[str, EntityFile | None], findings: Findings) -> None:
    pins, products = entities.get("pin"), entities.get("product")
    if pins is None or products is None:
        return
    for name, width in products.widths.items():
        other = pins.widths.get(name, width)
        if width != other:
            value = f"{width:,} in column {products.names[name]!r}, but {other:,} in "
            value += f"{pins.path.name}"
            fix = "give both tables vectors of one length: one tower reads them"
            findings.of_file(products.path.name, "another length", fix, value)


def _known_types(frame: pl.DataFrame, table: Table, findings: Findings) -> pl.DataFrame:
    bad = ~frame["candidate_type"].is_in(TYPES).fill_null(True)
    lost = frame.filter(bad)
    shown = [f'"{name}".{nearest(name, TYPES)}' for name in lost["candidate_type"]]
    there, fix = table.names["candidate_type"], f"write one of {', '.join(TYPES)}"
    kind = "unknown type"
    findings.of_rows(table.file, there, kind, lost["row"], shown, fix, quote=False)
    return frame.with_columns(pl.col("good") & ~bad)


def _known_ids(
    frame: pl.DataFrame,
    table: Table,
    kind: str,
    entities: Mapping[str, EntityFile | None],
    findings: Findings,
) -> pl.DataFrame:
    """Marks pairs whose candidate has no good row in its table."""
    own = (frame["candidate_type"] == kind).fill_null(False)
    if kind not in entities:
        if own.any():
            fix = f"pass --{TABLES[kind]} FILE, or leave these pairs out"
            value = f"{int(own.sum()):,} pairs"
            what = f"pairs with {TABLES[kind]}, but no table of {TABLES[kind]}"
            findings.of_file(table.file, what, fix, value)
        return frame.with_columns(pl.col("good") & ~own)
    if entities[kind] is None:  # said already
        return frame
    ids = frame["candidate_id"]
    bad = own & ids.is_not_null() & ~ids.is_in(entities[kind].ids.implode())
    lost = frame.filter(bad)
    fix = f"give the {kind} a (valid) row in the table of {TABLES[kind]}, or delete "
    fix += "this row"
    findings.of_rows(
        table.file,
        table.names["candidate_id"],
        f"unknown {kind}",
        lost["row"],
        lost["candidate_id"],
        fix,
    )
    return frame.with_columns(pl.col("good") & ~bad)


def _few_actions(frame: pl.DataFrame, table: Table, findings: Findings) -> None:
    found = frame["action"].value_counts(sort=True)
    if found.height > MAX_ACTIONS:
        some = ", ".join(f'"{a}"' for a in found["action"][-3:])
        fix = f"name at most {MAX_ACTIONS}, such as save, long_click, checkout"
        value = f"{found.height:,} in column {table.names['action']!r}, among them "
        findings.of_file(table.file, "too many actions", fix, value + some)
