"""Reading a user's table into typed columns: the one way into recjax."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from recjax.tables.columns import Column
from recjax.tables.report import Findings
from recjax.tables.source import Source
from recjax.tables.typed import Table

Unit = Literal["s", "ms", "us", "ns"]


@dataclass(frozen=True)
class Options:
    """How files are read.

    Attributes:
      unit: of timestamps that are numbers; None decides from all values.
      encoding: Python's name of the encoding of CSV and JSON lines.
      now: unix seconds; a day later is the future.
    """

    unit: Unit | None = None
    encoding: str = "utf-8"
    now: float = field(default_factory=time.time)


@dataclass(frozen=True)
class Read:
    """A table as read.

    Attributes:
      source: where it is from.
      table: its good rows: those without a problem.
      names: recjax's column name -> the file's.
      unused: the file's columns that the schema does not name.
      units: timestamp column -> the unit that its numbers were read in; without those
        that hold no numbers.
      places: where rows are in the files, see `rows`.
    """

    source: Source
    table: Table
    names: Mapping[str, str]
    unused: tuple[str, ...]
    units: Mapping[str, Unit]
    places: tuple[Any, ...]

    def rows(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns part and row number of rows of `table`.

        Args:
          positions: i64[n] positions in the table.

        Returns:
          i64[n] indices into `source.parts`, and i64[n] rows in them: lines of a CSV
          file with the header as row 1, else records from 1.
        """

    def tell(
        self,
        findings: Findings,
        column: str,
        kind: str,
        positions: np.ndarray,
        values: Iterable[Any],
        fix: str,
        *,
        quote: bool = True,
    ) -> None:
        """Adds one problem for each of the rows at `positions`, as `of_rows` does.

        Args:
          findings: where problems go.
          column: recjax's name of the column, or several with commas.
          kind: the problem in a few words.
          positions: i64[n] positions in the table.
          values: what stands there.
          fix: what to do.
          quote: whether the values are the file's own.
        """


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
