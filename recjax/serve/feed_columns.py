"""The columns of events or users in a file, and what is unknown of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from recjax.bundle.session_columns import ServedColumns
from recjax.data.column_inputs import CategoryInput
from recjax.data.inputs import source
from recjax.data.raw_values import raw_values
from recjax.tables.report import Findings
from recjax.tables.typed import Table

SHOWN = 5


def columns_of(
    table: Table,
    rows: np.ndarray,
    columns: ServedColumns,
    label: str,
    findings: Findings,
) -> list[Mapping[str, Any]]:
    """Returns column -> raw value of some rows [n], and notes what they lack.

    Args:
      table: of the file.
      rows: positions in it i64[n].
      columns: what the model reads.
      label: what the file is called.
      findings: where notes go: columns that are not there, and how many values are
        missing or unknown.
    """
    names = [column.name for column in columns.schema]
    if lacks := [name for name in names if name not in table]:
        findings.note(
            label, f"has no {', '.join(lacks)}: missing for all {columns.table}s"
        )
    given = {n: raw_values(table[n], rows) for n in names if n in table}
    for name, values in given.items():
        if missing := sum(value is None for value in values):
            counts = f"{missing:,} of {len(rows):,} {columns.table}s"
            findings.note(label, f"{name!r} is missing in {counts}")
    for name, kind in columns.inputs.items():
        column = source(name, columns.inputs)
        if column in given and isinstance(kind, CategoryInput) and not kind.buckets:
            _tell_unknown(column, given[column], kind, findings, label)
    return [
        dict(zip(given, values, strict=True))
        for values in zip(*given.values(), strict=True)
    ] or [{}] * len(rows)


def _tell_unknown(
    column: str, values: list[Any], kind: CategoryInput, findings: Findings, label: str
) -> None:
    lists = values if kind.many else [[value] for value in values]
    unknown = Counter(
        one for some in lists for one in some or () if one not in kind.positions
    )
    unknown.pop(None, None)
    if unknown:
        shown = ", ".join(f"{v!r} ({n:,})" for v, n in unknown.most_common(SHOWN))
        shown += ", ..." if len(unknown) > SHOWN else ""
        findings.note(
            label, f"{column!r} has categories unknown to the bundle: {shown}"
        )
