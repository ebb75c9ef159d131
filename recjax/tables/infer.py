"""What each column of a user's table is taken for, and what is in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recjax.tables.columns import Type
from recjax.tables.report import Findings
from recjax.tables.result import Options
from recjax.tables.times import Unit


@dataclass(frozen=True)
class Inferred:
    """One column of a file.

    Attributes:
      name: recjax's name where renamed, else the file's.
      type: what it is taken for.
      rows: rows read.
      missing: how many of them have no value.
      distinct: how many different values, about; None where that is not counted.
      examples: some values as they stand in the file.
      low: the least number, or the first time as ISO text, or None.
      high: the greatest.
      unit: of timestamps that are numbers.
      odd: what looks wrong with it, in words.
    """

    name: str
    type: Type
    rows: int
    missing: int
    distinct: int | None
    examples: tuple[str, ...]
    low: str | None = None
    high: str | None = None
    unit: Unit | None = None
    odd: tuple[str, ...] = ()


def infer(
    source: Any,
    options: Options,
    findings: Findings,
    rename: Mapping[str, str] | None = None,
    name: str = "table",
) -> tuple[Inferred, ...] | None:
    """Reads a table once and says what each column is taken for.

    Names count first: `user`, `item`, `session`, `id` and the like are ids, `timestamp`
    and `time` timestamps where they hold such; then values.

    Args:
      source: what `Source.of` takes.
      options: how to read.
      findings: where problems of the file as such go.
      rename: the file's name -> recjax's, where they differ.
      name: what a frame is called in reports.

    Returns:
      A column of the file each, in order; None if it cannot be read.
    """
