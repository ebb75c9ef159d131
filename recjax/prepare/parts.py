"""Reading the parts of a table in many processes, on one machine or several.

What comes out is what one process reads: ids and categories are numbered in the order
of the parts, and where parts do not agree (in a unit of time, the width of a vector),
one process reads them all, for that is decided by all rows.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from recjax import disk
from recjax.jobs import Runner
from recjax.prepare import make
from recjax.tables.columns import Column
from recjax.tables.read import read
from recjax.tables.report import Findings
from recjax.tables.result import Options, Read
from recjax.tables.row_numbers import RowNumbers
from recjax.tables.source import Part, Source
from recjax.tables.typed import Table


@dataclass(frozen=True)
class Parts:
    """How the parts of tables are read.

    Attributes:
      each: goes through the parts.
      work: a folder that all workers see, for what they read; must exist.
    """

    each: Runner
    work: Path


def read_parts(
    source: Source,
    schema: Sequence[Column],
    options: Options,
    findings: Findings,
    rename: Mapping[str, str],
    parts: Parts,
) -> Read | None:
    """Reads a table as `read` does, a part a task.

    Raises:
      UserError: an unknown encoding.
    """
    step = partial(
        _read_part,
        schema=tuple(schema),
        options=options,
        rename=dict(rename),
        work=parts.work,
    )
    list(parts.each(step, list(enumerate(source.parts))))
    files = [parts.work / f"{number}.pickle" for number in range(len(source.parts))]
    reads: list[Read] = []
    found = []
    for file in files:
        one, own = pickle.loads(file.read_bytes())
        file.unlink()
        found.append(own)
        if one is not None:
            reads.append(one)
    if len(reads) < len(files) or len({*map(_alike, reads)}) > 1:
        return read(source, schema, options, findings, rename)
    for own in found:
        findings.add(own, notes=False)
    joined = _joined(source, reads)
    joined.tell_units(findings)
    return joined


def _read_part(
    numbered: tuple[int, Part],
    *,
    schema: Sequence[Column],
    options: Options,
    rename: Mapping[str, str],
    work: Path,
) -> None:
    """Writes what is read of a part, and what was found in it."""
    number, part = numbered
    findings = Findings()
    found = read(Source(part.name, (part,)), schema, options, findings, rename)
    with disk.whole(work / f"{number}.pickle") as file:
        file.write_bytes(pickle.dumps((found, findings), pickle.HIGHEST_PROTOCOL))


def _alike(one: Read) -> str:
    """Returns what all parts must have in common, or else all rows decide together."""
    columns = one.table.columns
    widths = {name: column.width for name, column in columns.items() if column.width}
    names = sorted(one.names.items()), sorted(one.unused)
    return repr((names, widths, {name: one.units.get(name) for name in columns}))


def _joined(source: Source, reads: Sequence[Read]) -> Read:
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
        for name in reads[0].table.columns
    }
    table = Table(sum(one.table.rows for one in reads), columns)
    return replace(reads[0], source=source, table=table, places=places)
