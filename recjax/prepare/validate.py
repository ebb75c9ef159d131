"""Checking a user's own files: every problem of a file in one pass.

Interactions: a table of events with columns user, item, timestamp and maybe rating, and
maybe a table of items with columns item, title and maybe tags. Search: a table of pairs
with columns query, product, relevance, and a table of products with columns product,
title; or all four columns in one table. Ids and texts are stripped of outer whitespace.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from recjax.tables.old.check import (
    check_options,
    clean,
    distinct,
    known_columns,
    known_ids,
)
from recjax.tables.old.columns import Table
from recjax.tables.old.convert import Unit
from recjax.tables.old.read import read_table
from recjax.tables.report import Findings, Report
from recjax.tables.old.schemas import EVENTS, ITEMS, PAIRS, PRODUCTS, TITLED_PAIRS


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
    main = known_ids(main, table, corpus, "item", findings)
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
    main = known_ids(main, table, corpus, "product", findings)
    main = distinct(main, table, key, twice, findings)
    return Checked(findings.report(), main, corpus)


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
