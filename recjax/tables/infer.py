"""What each column of a user's table is taken for, and what is in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from recjax.tables.blocks import Opened
from recjax.tables.builder import Builder
from recjax.tables.columns import Column, Type
from recjax.tables.convert import WrongType, plain
from recjax.tables.distinct import Distinct
from recjax.tables.opening import each_block
from recjax.tables.report import Findings
from recjax.tables.result import Options
from recjax.tables.source import Part, Source
from recjax.tables.strays import Search, Strays, Wanted
from recjax.tables.times import MISSING
from recjax.tables.units import Unit

TYPES: tuple[Type, ...] = (
    *("number", "timestamp", "vector", "bits", "ids", "categories"),
    *("id", "category", "text"),
)
"""Types that a column may be taken for; all are tried until a value does not fit."""
IDS = re.compile(r"(id|user|item|session|product|pin|query|u|i)([_ ]?id)?", re.I)
CODES = re.compile(r"(.*[_ ])?(id|code|zip)", re.I)
TIME = re.compile(r"time|date|created|(^|_)(at|ts|when)$", re.I)
SHOWN = re.compile(r"impressions|shown|.*[_ ]?ids", re.I)
PICTURE = r"(?i)\.(jpe?g|png|webp|gif|bmp)$"
BLANK = r"(?i)^(null|none|n/?a|nan|-|\?)$"
DATED = r"\d[-:/]\d"


@dataclass(frozen=True)
class Inferred:
    """One column of a file.

    Attributes:
      name: recjax's name where renamed, else the file's.
      type: what it is taken for; None for what recjax cannot read.
      rows: rows read.
      missing: how many of them have no value.
      distinct: how many different values; None of lists, vectors and bytes.
      exact: whether they were counted; else the number is about right.
      examples: some values as they stand in the file.
      low: the least number, or the first time as ISO text, or None.
      high: the greatest.
      unit: of timestamps that are numbers.
      odd: what looks wrong with it, in words.
      strays: few values that alone decide that it is not of numbers, or of times.
    """

    name: str
    type: Type | None
    rows: int
    missing: int
    distinct: int | None
    examples: tuple[str, ...]
    low: str | None = None
    high: str | None = None
    unit: Unit | None = None
    odd: tuple[str, ...] = ()
    strays: tuple[Strays, ...] = ()
    exact: bool = True


def infer(
    source: Any,
    options: Options,
    findings: Findings,
    rename: Mapping[str, str] | None = None,
    name: str = "table",
    only: Collection[str] | None = None,
    most: int | None = None,
) -> tuple[Inferred, ...] | None:
    """Reads a table once and says what each column is taken for.

    A type is taken only if all values are of it, so that reading the column as that
    type finds no problem. Names decide between a number and a time, an id, or a code.

    Args:
      source: what `Source.of` takes.
      options: how to read.
      findings: where problems of the file as such go.
      rename: the file's name -> recjax's, where they differ.
      name: what a frame is called in reports.
      only: the columns wanted, by recjax's names; None for all.
      most: rows after which to stop, about; None for all.

    Returns:
      A column of the file each, in order; None if it cannot be read.
    """
    fatal, found = findings.fatal, Source.of(source, findings, name)
    if found is None:
        return None
    columns: dict[str, _Column] = {}
    seen = 0

    def choose(part: Part, opened: Opened) -> list[str]:
        for theirs in opened.header:
            ours = (rename or {}).get(theirs, theirs)
            if only is None or ours in only:
                columns.setdefault(theirs, _Column(ours, options))
        return list(columns)

    for _, part, block in each_block(found, options, findings, choose):
        for theirs, column in columns.items():
            file = part.name if len(found.parts) > 1 else ""
            column.add(block.frame[theirs], block.rows, file)
        seen += block.frame.height
        if most is not None and seen >= most:
            break
    if findings.fatal > fatal:
        return None
    return tuple(column.finish() for column in columns.values())


def _dated(values: pl.Series) -> bool:
    """Returns whether most values look like dates."""
    if values.dtype != pl.String:
        return False
    return 2 * int(values.str.contains(DATED).sum()) > len(values)


class _Column:
    """What is known of one column so far."""

    def __init__(self, name: str, options: Options) -> None:
        self.name, self.options = name, options
        self.fits = {
            type: Builder(Column(name, type, filled=False), options.now)
            for type in TYPES
        }
        self.rows = self.missing = 0
        self.counts: Counter[str] = Counter()
        self.distinct = Distinct()
        self.examples: dict[str, None] = {}
        self.low, self.high = np.inf, -np.inf
        self.strays: dict[Wanted, Search] = {}

    def add(self, values: pl.Series, rows: range | np.ndarray, file: str) -> None:
        """Tries the types that still fit on a block, and counts.

        Args:
          values: the block's.
          rows: of each its number.
          file: the part that they are in, or "" for the only one.
        """
        values = plain(values)
        missing = values.is_null()
        if values.dtype.is_float():
            missing |= values.is_nan().fill_null(False)
        if values.dtype == pl.String:
            missing |= (values.str.strip_chars() == "").fill_null(False)
        self.rows += len(values)
        self.missing += int(missing.sum())
        there = values.filter(~missing)
        for type in list(self.fits):
            if not self._fits(type, there):
                del self.fits[type]
        if self.strays:
            at = np.asarray(rows)[~missing.to_numpy()]
            for type, search in list(self.strays.items()):
                if there.dtype != pl.String or not search.add(there, at, file):
                    del self.strays[type]
        if not len(there):
            return
        if there.dtype == pl.String:
            self._count(there)
        if not (there.dtype.is_nested() or there.dtype == pl.Binary):
            self.distinct.add(there)
        if len(self.examples) < 3:
            shown = there.head(20).unique(maintain_order=True).to_list()
            self.examples.update(dict.fromkeys(str(value)[:40] for value in shown))

    def _fits(self, type: Type, there: pl.Series) -> bool:
        dtype, builder = there.dtype, self.fits[type]
        if type == "bits" and not (
            dtype == pl.Binary or getattr(dtype, "inner", None) == pl.UInt8
        ):
            return False
        if type == "number" and dtype == pl.Boolean:
            return False
        if type == "vector" and dtype == pl.String:
            if not there.str.starts_with("[").all():
                return False
        try:
            found = builder.add(there)
        except WrongType:
            return False
        if found:
            bad = np.logical_or.reduce([problem.bad for problem in found])
            few = bad.mean() < 0.1
            numbers = type == "number" and dtype == pl.String
            if numbers or (type == "timestamp" and _dated(there)):
                before = self.rows - self.missing - len(there)
                args = self.name, self.options.now, before
                self.strays[type] = Search(type, *args)
            # Some rows of another length, or with NaN, do not make it no vector.
            vectors = type == "bits" or type == "vector" and dtype.is_nested()
            if not (vectors and (few or "Float" in str(dtype))):
                return False
        if type == "timestamp":
            # A number is a time only in a column that is called so.
            block = builder.last
            return bool(TIME.search(self.name) or (block.numbers == MISSING).all())
        builder.undo()
        if type == "number" and len(there):
            numbers = there.str.strip_chars() if dtype == pl.String else there
            reals = numbers.cast(pl.Float64).to_numpy()
            self.low = min(self.low, float(reals.min()))
            self.high = max(self.high, float(reals.max()))
        return True

    def _count(self, there: pl.Series) -> None:
        self.counts["spaces"] += int(there.str.count_matches(r"\S\s+\S").sum())
        self.counts["texts"] += len(there)
        for name, form in (
            ("bars", r"\|"),
            ("lists", r"^\["),
            ("zeros", r"^0\d[\d.,]*$"),
            ("pictures", PICTURE),
            ("spaces around values", r"^\s|\s$"),
            ("words for nothing, such as NULL (leave those empty)", BLANK),
        ):
            self.counts[name] += int(there.str.contains(form).sum())

    def finish(self) -> Inferred:
        """Returns what the column is taken for."""
        low = high = unit = None
        if self._is_code:
            self.strays.pop("number", None)
        strays = tuple(search.finish() for search in self.strays.values())
        there, odd = self.rows - self.missing, list(map(str, strays))
        if "timestamp" in self.fits and there:
            decided = self.fits["timestamp"].decide(self.options.unit)
            if decided.trouble or decided.problems:
                trouble = decided.trouble or [p.fix for p in decided.problems]
                odd.append(f"no times: {trouble[0]}")
                del self.fits["timestamp"]
            else:
                ends = np.array([decided.values.min(), decided.values.max()])
                low, high = map(str, ends.view("M8[ns]").astype("M8[s]"))
                unit = decided.unit
        type, distinct = self._type(there), self.distinct.count
        if type == "number" and there:
            low, high = f"{self.low:.10g}", f"{self.high:.10g}"
        if not there:
            odd.append("no value at all")
        elif distinct == 1 and there > 1:
            odd.append("always the same value")
        if self.counts["zeros"] and type != "number":
            odd.append("zeros in front of numbers, kept as text")
        odd += [f"{n:,} {what}" for what, n in self.counts.items() if n and " " in what]
        examples = tuple(self.examples)[:3]
        counted = distinct if distinct or not there else None
        return Inferred(
            *(self.name, type, self.rows, self.missing, counted, examples),
            *(low, high, unit, tuple(odd), strays, self.distinct.exact),
        )

    def _type(self, there: int) -> Type | None:
        texts, fits = self.counts["texts"], self.fits
        if texts and self.counts["pictures"] == texts and "text" in fits:
            return "image"
        wanted: list[tuple[Type, bool]] = [
            ("id", bool(IDS.fullmatch(self.name))),
            ("timestamp", there > 0),
            ("number", there > 0 and not self._is_code),
            ("vector", "vector" in fits and (fits["vector"].width or 0) > 1),
            ("bits", True),
            ("ids", bool(SHOWN.fullmatch(self.name))),
            ("categories", not texts or self.counts["bars"] * 10 > texts),
            ("categories", self.counts["lists"] == texts),
            ("category", not self._wordy(there)),
            ("text", True),
            ("category", True),
            ("number", True),
        ]
        return next((type for type, right in wanted if right and type in fits), None)

    @property
    def _is_code(self) -> bool:
        return bool(CODES.fullmatch(self.name) or self.counts["zeros"])

    def _wordy(self, there: int) -> bool:
        spaces, texts = self.counts["spaces"], max(1, self.counts["texts"])
        varied = there >= 50 and self.distinct.count > there / 2
        return spaces / texts >= (0.3 if varied else 2)
