"""Checking a user's own files: every problem of a file in one pass.

Interactions: a table of events with columns user, item, timestamp and maybe rating, and
maybe a table of items with columns item, title and maybe tags. Search: a table of pairs
with columns query, product, relevance, and a table of products with columns product,
title; or all four columns in one table. Ids and texts are stripped of outer whitespace.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from recjax.data.columns import Column, Table
from recjax.data.convert import Unit, convert
from recjax.data.report import Findings, Report
from recjax.data.tables import read_table
from recjax.errors import UserError, nearest

EVENTS = (
    Column("user", "id"),
    Column("item", "id", shared=True),
    Column("timestamp", "time"),
    Column("rating", "number", required=False),
)
ITEMS = (
    Column("item", "id", shared=True),
    Column("title", "text"),
    Column("tags", "note", required=False),
)
PAIRS = (
    Column("query", "text"),
    Column("product", "id", shared=True),
    Column("relevance", "gain"),
)
PRODUCTS = (Column("product", "id", shared=True), Column("title", "text"))
TITLED_PAIRS = (*PAIRS, Column("title", "text"))


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
      report: all problems.
      main: the good rows of the events or pairs; None if a file cannot be used.
      corpus: the good rows of the items or products; None if there is no such table.
    """

    report: Report
    main: pl.DataFrame | None
    corpus: pl.DataFrame | None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to prepare."""
        return (
            self.main is None
            or not self.main.height
            or (self.corpus is not None and not self.corpus.height)
        )


def validate_interactions(
    events: str | Path,
    *,
    items: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    unit: Unit = "s",
    encoding: str = "utf-8",
    now: float | None = None,
) -> Checked:
    """Checks a file of events, and of items where given.

    Args:
      events: CSV, TSV or Parquet file with columns user, item, timestamp[, rating].
      items: the same with columns item, title[, tags]; items without a row in it are
        problems then.
      columns: recjax's column name -> the file's, where they differ.
      unit: of numeric timestamps: "s" or "ms"; ISO dates are taken as they are.
      encoding: of CSV files.
      now: unix seconds; timestamps over a day later are problems (default: the clock).

    Raises:
      UserError: an argument, rather than a file, is wrong.
    """
    findings = Findings()
    now = time.time() if now is None else now
    columns = known_columns(columns, (*EVENTS, *ITEMS))
    check_options(unit, encoding)
    corpus = None
    if items is not None:
        table = read_table(Path(items), ITEMS, columns, encoding, findings)
        corpus = clean(table, ITEMS, unit, now, findings)
        corpus = distinct(corpus, table, ["item"], "item given twice", findings)
    table = read_table(Path(events), EVENTS, columns, encoding, findings)
    main = clean(table, EVENTS, unit, now, findings)
    main = _known(main, table, corpus, "item", findings)
    key = ["user", "item", "timestamp"]
    main = distinct(main, table, key, "the same event twice", findings)
    return Checked(findings.report(), main, corpus)


def validate_search(
    pairs: str | Path,
    *,
    products: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    encoding: str = "utf-8",
) -> Checked:
    """Checks a file of judged pairs, and of products where given.

    Args:
      pairs: CSV, TSV or Parquet file with columns query, product, relevance, and title
        unless `products` is given.
      products: the same with columns product, title: the whole corpus.
      columns: recjax's column name -> the file's, where they differ.
      encoding: of CSV files.

    Raises:
      UserError: an argument, rather than a file, is wrong.
    """
    findings = Findings()
    columns = known_columns(columns, TITLED_PAIRS)
    check_options("s", encoding)
    twice, key = "the same query and product twice", ["query", "product"]
    if products is None:
        table = read_table(Path(pairs), TITLED_PAIRS, columns, encoding, findings)
        main = clean(table, TITLED_PAIRS, "s", 0, findings)
        main = distinct(main, table, key, twice, findings)
        main = _one_title(main, table, findings)
        corpus = None
        if main is not None:
            corpus = main.unique("product", keep="first", maintain_order=True)
        return Checked(findings.report(), main, corpus)
    table = read_table(Path(products), PRODUCTS, columns, encoding, findings)
    corpus = clean(table, PRODUCTS, "s", 0, findings)
    corpus = distinct(corpus, table, ["product"], "product given twice", findings)
    table = read_table(Path(pairs), PAIRS, columns, encoding, findings)
    main = clean(table, PAIRS, "s", 0, findings)
    main = _known(main, table, corpus, "product", findings)
    main = distinct(main, table, key, twice, findings)
    return Checked(findings.report(), main, corpus)


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
        "".encode(encoding)
    except LookupError:
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


def _known(
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


def _one_title(
    frame: pl.DataFrame | None, table: Table | None, findings: Findings
) -> pl.DataFrame | None:
    """Returns the rows that agree with their product's first title."""
    if frame is None:
        return None
    first = frame.select(
        pl.col("title").first().over("product").alias("title"),
        pl.col("row").first().over("product"),
    )
    other = first["title"] != frame["title"]
    lost, source = frame.filter(other), first.filter(other)
    shown = (
        f'product {product}: "{title}", but "{before}" in row {row}'
        for product, title, before, row in zip(
            lost["product"], lost["title"], source["title"], source["row"], strict=True
        )
    )
    fix = "give the product one title, or another id"
    name = table.names["title"]
    kind = "a product with two titles"
    findings.of_rows(table.file, name, kind, lost["row"], shown, fix, quote=False)
    return frame.filter(~other)
