"""Reading the parts of a table in many processes, on one machine or several.

What comes out is what one process reads: ids and categories are numbered in the order
of the parts, and where parts do not agree (in a unit of time, the width of a vector),
one process reads them all, for that is decided by all rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from recjax.jobs import Runner
from recjax.prepare import make
from recjax.prepare.stored import store, stored
from recjax.tables.columns import Column
from recjax.tables.read import read
from recjax.tables.report import Findings
from recjax.tables.result import Options, Read
from recjax.tables.row_numbers import RowNumbers
from recjax.tables.source import Part, Source
from recjax.tables.typed import Table
from recjax.text.column import Texts

PARTITION = 1 << 21
"""Events that a worker sorts at once, about."""


@dataclass(frozen=True)
class Parts:
    """How the parts of tables are read, and the events in them sorted.

    Attributes:
      each: goes through parts, and partitions of users.
      work: a folder that all workers see, for what they hand on; must exist.
      partition: events that a worker sorts at once, about.
    """

    each: Runner
    work: Path
    partition: int


@dataclass(frozen=True)
class Parted:
    """A table as read: in memory, or a part a file.

    Attributes:
      head: the table in memory; or without values and labels, which lie in files.
      files: of the parts; none where the table is in memory.
    """

    head: Read
    files: tuple[Path, ...] = ()

    def part(self, number: int) -> Read:
        """Returns a part with its rows."""
        return stored(self.files[number], "read")[0]

    def labels(self, column: str) -> Iterator[Texts]:
        """Yields what the codes of a column stand for, part by part."""
        if not self.files:
            yield self.head.table[column].vocabulary
        for file in self.files:
            yield from stored(file, _labels(self.head, column))

    def whole(self) -> Read:
        """Returns the table with all rows; the files are gone then."""
        if not self.files:
            return self.head
        found = _joined(self.head, [self.part(i) for i in range(len(self.files))])
        self.delete()
        return found

    def delete(self) -> None:
        """Deletes the files."""
        for file in self.files:
            file.unlink()


def read_parts(
    source: Source,
    schema: Sequence[Column],
    options: Options,
    findings: Findings,
    rename: Mapping[str, str],
    name: str,
    parts: Parts,
) -> Parted | None:
    """Reads a table as `read` does, a part a task.

    Raises:
      UserError: an unknown encoding.
    """
    step = partial(
        _read_part,
        schema=tuple(schema),
        options=options,
        rename=dict(rename),
        name=name,
        work=parts.work,
    )
    list(parts.each(step, list(enumerate(source.parts))))
    files = [parts.work / f"{number}.read" for number in range(len(source.parts))]
    heads, found = zip(*(stored(file, "head", "found") for file in files), strict=True)
    if None in heads or len({*map(_alike, heads)}) > 1:
        for file in files:
            file.unlink()
        one = read(source, schema, options, findings, rename, name)
        return None if one is None else Parted(one)
    fixes: dict[tuple[str, str], str] = {}
    for own in found:
        own.same_fixes(fixes)
        findings.add(own, notes=False)
    rows = sum(one.table.rows for one in heads)
    table = Table(rows, heads[0].table.columns)
    head = replace(heads[0], source=source, table=table)
    head.tell_units(findings)
    return Parted(head, tuple(files))


def _read_part(
    numbered: tuple[int, Part],
    *,
    schema: Sequence[Column],
    options: Options,
    rename: Mapping[str, str],
    name: str,
    work: Path,
) -> None:
    """Writes what is read of a part, and what was found in it."""
    number, part = numbered
    findings, things = Findings(), {}
    source = Source(part.name, (part,))
    found = head = read(source, schema, options, findings, rename, name)
    if found is not None:
        columns = found.table.columns
        for key, column in columns.items():
            things[_labels(found, key)] = column.labels
        none = found.table.take(np.zeros(0, np.int64)).columns
        bare = {key: replace(column, labels=None) for key, column in none.items()}
        head = replace(found, table=Table(found.table.rows, bare), places=RowNumbers())
    things |= {"read": found, "head": head, "found": findings}
    store(work / f"{number}.read", things)


def _labels(found: Read, column: str) -> str:
    return f"labels {[*found.table.columns].index(column)}"


def _alike(one: Read) -> str:
    """Returns what all parts must have in common, or else all rows decide together."""
    columns = one.table.columns
    widths = {name: column.width for name, column in columns.items() if column.width}
    names = sorted(one.names.items()), sorted(one.unused)
    return repr((names, widths, {name: one.units.get(name) for name in columns}))


def _joined(head: Read, reads: Sequence[Read]) -> Read:
    """Returns the tables of all parts end to end, as one."""
    places, kept = RowNumbers(), []
    for number, one in enumerate(reads):
        start, own = len(places), one.places
        for rows in own.rows:
            places.add(number, rows)
        kept.append(start + (np.arange(len(own)) if own.kept is None else own.kept))
    places.kept = np.concatenate(kept)
    columns = {
        name: make.joined([one.table[name] for one in reads])
        for name in head.table.columns
    }
    table = Table(sum(one.table.rows for one in reads), columns)
    return replace(head, table=table, places=places)
