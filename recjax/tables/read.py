"""Reading a user's table into typed columns: the one way into recjax."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from recjax.tables.blocks import Block, Unusable
from recjax.tables.builder import Builder
from recjax.tables.columns import Column, resolve
from recjax.tables.convert import WrongType
from recjax.tables.opening import open_part
from recjax.tables.places import Places
from recjax.tables.report import Findings
from recjax.tables.result import Options, Read
from recjax.tables.source import Part, Source
from recjax.tables.times import WORDS
from recjax.tables.typed import Table


def read(
    source: Any,
    schema: Sequence[Column],
    options: Options,
    findings: Findings,
    rename: Mapping[str, str] | None = None,
    name: str = "table",
) -> Read | None:
    """Reads the columns of a schema; problems go to `findings`.

    Rows with a problem are left out of the table, so that a caller who accepts the
    report (see `accept`) can go on with the rest.

    Args:
      source: what `Source.of` takes.
      schema: the columns wanted.
      options: how.
      findings: where problems go.
      rename: the file's name -> recjax's, where they differ.
      name: what a frame is called in reports.

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
    reading = _Reading(schema, options, findings, rename or {})
    for index, part in enumerate(found.parts):
        try:
            reading.part(index, part)
        except Unusable as error:
            findings.of_file(part.name, *error.problem)
    file = found.parts[0].name if len(found.parts) == 1 else found.name
    if findings.fatal == before and not reading.rows:
        findings.of_file(file, "no rows", "give it rows")
    if findings.fatal > before or not reading.builders:
        return None
    return reading.finish(found, file)


class _Reading:
    """A table while it is read."""

    def __init__(
        self,
        schema: Sequence[Column],
        options: Options,
        findings: Findings,
        rename: Mapping[str, str],
    ) -> None:
        self.schema, self.options, self.rename = schema, options, rename
        self.findings, self.places, self.rows = findings, Places(), 0
        self.header, self.names = (), {}
        self.builders: dict[str, Builder] = {}

    def part(self, index: int, part: Part) -> None:
        """Reads one part.

        Raises:
          Unusable: it cannot be read.
        """
        opened = open_part(part, self.options.encoding, self.findings)
        args = self.schema, self.rename, self.findings, opened.separator
        names = resolve(opened.header, part.name, *args)
        if names is None:
            return
        if not names:
            fix = f"name one of them: --rename {part.name}:NAME={self.schema[0].name}"
            raise Unusable("no column that is known", fix, ", ".join(opened.header))
        if not self.names:
            self.header, self.names = tuple(opened.header), names
            self.builders = {
                column.name: Builder(column, self.options.now)
                for column in self.schema
                if column.name in names
            }
        if odd := set(self.header) ^ set(opened.header):
            fix = "give all parts of a table the same columns"
            value = ", ".join(sorted(map(repr, odd)))
            raise Unusable("columns that not all parts have", fix, value)
        rows, fatal = 0, self.findings.fatal
        for block in opened.blocks(list(names.values())):
            rows += block.frame.height + block.lost
            self.block(index, part.name, block)
            if self.findings.fatal > fatal:
                break
        self.findings.read(part.name, rows)
        self.rows += rows

    def block(self, index: int, file: str, block: Block) -> None:
        """Adds a block's rows that are good."""
        frame, rows, good = block.frame, block.rows, None
        for name, builder in self.builders.items():
            there = self.names[name]
            try:
                found = builder.add(frame[there])
            except WrongType as error:
                kind, fix = f"column of type {error}", f"store {error.needs} in it"
                self.findings.of_file(file, kind, fix, repr(there))
                continue
            for problem in found:
                shown = problem.shown
                quote = shown is None
                shown = frame[there].filter(problem.bad) if quote else shown
                at = np.asarray(rows)[problem.bad]
                self.findings.of_rows(
                    file, there, problem.kind, at, shown, problem.fix, quote=quote
                )
                good = ~problem.bad if good is None else good & ~problem.bad
        if good is not None:
            for name, builder in self.builders.items():
                builder.undo()
                builder.add(frame[self.names[name]].filter(good))
            rows = np.asarray(rows)[good]
        self.places.add(index, rows)

    def finish(self, source: Source, file: str) -> Read | None:
        """Decides the times, and returns the table; `file` is its name in reports."""
        fatal, unused = self.findings.fatal, set(self.header) - {*self.names.values()}
        told = Read(
            source=source,
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
                args = problem.kind, at, problem.shown, problem.fix
                told.tell(self.findings, name, *args)
                good = ~problem.bad if good is None else good & ~problem.bad
            if decided.unit:
                units[name] = decided.unit
                text = f"{self.names[name]!r} is read as {WORDS[decided.unit]}"
                self.findings.note(file, text)
        if self.findings.fatal > fatal:
            return None
        columns = {}
        for name in list(self.builders):
            builder = self.builders.pop(name)
            columns[name] = builder.finish(times.pop(name, None), good)
        rows = len(self.places) if good is None else int(good.sum())
        if good is not None:
            self.places.kept = np.flatnonzero(good)
        return replace(told, table=Table(rows, columns), units=units)
