"""Reading a user's table into typed columns: the one way into recjax."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from recjax.tables.blocks import Block, Opened, Unusable
from recjax.tables.builder import Builder
from recjax.tables.columns import Column, renamed, resolve
from recjax.tables.convert import WrongType
from recjax.tables.opening import each_block, open_part
from recjax.tables.report import Findings
from recjax.tables.result import Options, Read
from recjax.tables.row_numbers import RowNumbers
from recjax.tables.source import Part, Source
from recjax.tables.typed import MISSING_TIME, Table

FRAME = "table"
"""What a frame is called that has no name of its own."""


def read(
    source: Any,
    schema: Sequence[Column],
    options: Options,
    findings: Findings,
    rename: Mapping[str, str] | None = None,
    name: str = FRAME,
) -> Read | None:
    """Reads the columns of a schema; problems go to `findings`.

    Rows with a problem are left out of the table, or with `options.empty` stay without
    a bad value that may be missing, so that a caller who accepts the report (see
    `accept`) can go on with the rest.

    Args:
      source: what `Source.of` takes.
      schema: the columns wanted.
      options: how.
      findings: where problems go.
      rename: the file's name -> recjax's, where they differ; None takes the options'.
      name: what a frame is called in reports, and the table in options.

    Returns:
      The table, or None if the source as a whole cannot be used.

    Raises:
      UserError: an unknown encoding.

    Example:
      >>> findings = Findings()
      >>> events = read("events.csv", EVENTS, Options(), findings, {"uid": "user"})
      >>> accept(findings.report(), on_bad_row="error", max_bad_share=0.0)
    """
    before, found = findings.fatal, Source.of(source, findings, name)
    if found is None:
        return None
    table = None if not options.can_rename else "" if name == FRAME else name
    rename = options.rename if rename is None else rename
    reading = _Reading(found, schema, options, findings, rename, table)
    for block in each_block(found, options, findings, reading.choose):
        reading.add(*block)
    return reading.finish() if findings.fatal == before else None


def header(
    source: Any,
    options: Options,
    findings: Findings,
    rename: Mapping[str, str] | None = None,
    name: str = FRAME,
    parts: int | None = 1,
) -> tuple[str, ...] | None:
    """Returns the columns of a table, renamed, without reading it; see `read`.

    Args:
      source: see `read`, as all others.
      options: how.
      findings: where problems go.
      rename: the file's name -> recjax's.
      name: what a frame is called.
      parts: how many are looked at, whose columns should be the same; None: all.
    """
    found = Source.of(source, findings, name)
    if found is None:
        return None
    names: dict[str, None] = {}
    for part in found.parts[:parts]:
        try:
            opened = open_part(part, options.encoding, findings)
        except Unusable as error:
            findings.of_file(part.name, *error.problem)
            return None
        opened.close()
        names |= dict.fromkeys(opened.header)
    rename = options.rename if rename is None else rename
    return tuple(rename.get(theirs, theirs) for theirs in names)


class _Reading:
    """A table while its blocks are read: a builder a column, and where rows are."""

    def __init__(
        self,
        source: Source,
        schema: Sequence[Column],
        options: Options,
        findings: Findings,
        rename: Mapping[str, str],
        table: str | None,
    ) -> None:
        self.source, self.schema, self.options = source, schema, options
        self.findings, self.rename, self.table = findings, rename, table
        self.places = RowNumbers()
        self.header: tuple[str, ...] = ()
        self.names: dict[str, str] = {}
        self.wrong: set[tuple[int, str]] = set()
        self.builders: dict[str, Builder] = {}

    def choose(self, part: Part, opened: Opened) -> list[str] | None:
        """Returns the wanted columns of a part."""
        args = self.schema, self.rename, self.findings, opened.separator
        names = resolve(opened.header, part.name, *args, self.table)
        if names is None:
            return None
        if not names:
            fix = renamed(self.schema[0].name, self.table)
            raise Unusable("no column that is known", fix, ", ".join(opened.header))
        if not self.names:
            self.header, self.names = tuple(opened.header), names
            self.builders = {
                column.name: Builder(column, self.options.now)
                for column in self.schema
                if column.name in names
            }
        return list(names.values())

    def add(self, index: int, part: Part, block: Block) -> None:
        """Adds a block's rows that are good."""
        frame, rows, bad = block.frame, block.rows, None
        empty: dict[str, np.ndarray] = {}
        for name, builder in self.builders.items():
            there = self.names[name]
            try:
                found = builder.add(frame[there])
            except WrongType as error:
                if (index, there) not in self.wrong:
                    kind, fix = f"column of type {error}", f"store {error.needs} in it"
                    self.findings.of_file(part.name, kind, fix, repr(there))
                self.wrong.add((index, there))
                continue
            optional = not builder.column.filled
            for problem in found:
                how = {"quote": problem.shown is None, "optional": optional}
                shown = problem.shown
                if shown is None:
                    shown = frame[there].filter(problem.bad)
                at = np.asarray(rows)[problem.bad]
                args = problem.kind, at, shown, problem.fix
                self.findings.of_rows(part.name, there, *args, **how)
                if optional and self.options.empty:
                    empty[there] = empty.get(there, False) | problem.bad
                else:
                    bad = problem.bad if bad is None else bad | problem.bad
        if self.wrong:
            return
        if empty:
            frame = frame.with_columns(_without(frame[n], m) for n, m in empty.items())
        if bad is not None:
            frame, rows = frame.filter(~bad), np.asarray(rows)[~bad]
        if frame is not block.frame:
            for name, builder in self.builders.items():
                builder.undo()
                builder.add(frame[self.names[name]])
        self.places.add(index, rows)

    def finish(self) -> Read | None:
        """Decides the times, and returns the table."""
        fatal, file = self.findings.fatal, self.source.label
        unused = set(self.header) - {*self.names.values()}
        told = Read(
            source=self.source,
            table=Table(0, {}),
            names=self.names,
            unused=tuple(name for name in self.header if name in unused),
            units={},
            places=self.places,
        )
        times, good, units = {}, None, {}
        for name, builder in self.builders.items():
            if builder.column.type != "timestamp":
                continue
            decided = builder.decide(self.options.unit)
            times[name] = decided.values
            if decided.trouble:
                kind, fix, value = decided.trouble
                value = f"{self.names[name]!r}: {value}"
                self.findings.of_file(file, kind, fix, value)
            for problem in decided.problems:
                at = np.flatnonzero(problem.bad)
                args = problem.kind, at, np.asarray(problem.shown), problem.fix
                optional = not builder.column.filled
                told.tell(self.findings, name, *args, optional=optional)
                if optional and self.options.empty:
                    decided.values[problem.bad] = MISSING_TIME
                    continue
                good = ~problem.bad if good is None else good & ~problem.bad
            if decided.unit:
                units[name] = decided.unit
        if self.findings.fatal > fatal:
            return None
        columns = {}
        for name in list(self.builders):
            builder = self.builders.pop(name)
            columns[name] = builder.finish(times.pop(name, None), good)
        rows = len(self.places) if good is None else int(good.sum())
        if good is not None:
            self.places.kept = np.flatnonzero(good)
        found = replace(told, table=Table(rows, columns), units=units)
        found.tell_units(self.findings)
        return found


def _without(values: pl.Series, bad: np.ndarray) -> pl.Series:
    """Returns a column that is null in some rows."""
    kept = pl.when(pl.Series(~bad)).then(values)
    return pl.select(kept.alias(values.name)).to_series()
