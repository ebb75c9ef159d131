"""What recjax takes the columns of a user's files for, as text for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recjax.errors import UserError
from recjax.tables.infer import Inferred, infer
from recjax.tables.report import Findings
from recjax.tables.result import Options

HEAD = ("column", "type", "missing", "distinct", "range", "examples")
WIDTH = 24


def described(files: Sequence[Any], options: Options) -> str:
    """Returns a table a file: its columns with types, counts, examples, oddities.

    Args:
      files: each what `tables.source.Source.of` takes.
      options: how to read them.

    Raises:
      UserError: a file cannot be read.
    """
    findings, parts = Findings(), []
    for file in files:
        columns = infer(file, options, findings)
        if columns is not None:
            rows = columns[0].rows if columns else 0
            parts.append(f"{file}: {rows:,} rows\n{_table(columns)}")
    report = findings.report()
    if not report.ok:
        raise UserError(str(report))
    return "\n\n".join(parts)


def _table(columns: Sequence[Inferred]) -> str:
    rows = [HEAD, *map(_cells, columns)]
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    odd = [f"  {one.name}: {what}" for one in columns for what in one.odd]
    return "\n".join(["  " + line for line in lines] + odd)


def _count(one: Inferred) -> str:
    if one.distinct is None:
        return ""
    if one.exact:
        return f"{one.distinct:,}"
    return f"about {float(f'{one.distinct:.2g}'):,.0f}"


def _cells(one: Inferred) -> tuple[str, ...]:
    shown = [e if len(e) <= WIDTH else e[:WIDTH] + "..." for e in one.examples[:3]]
    return (
        one.name,
        (one.type or "left out") + (f" ({one.unit})" if one.unit else ""),
        f"{one.missing / max(one.rows, 1):.1%}",
        _count(one),
        "" if one.low is None else f"{one.low} to {one.high}",
        ", ".join(shown),
    )
