"""How a table is read, and what reading gives."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from recjax.tables.report import LISTED, Findings
from recjax.tables.row_numbers import RowNumbers
from recjax.tables.source import Source
from recjax.tables.typed import Table
from recjax.tables.units import WORDS, Unit
from recjax.text.column import Texts


@dataclass(frozen=True)
class Options:
    """How files are read.

    Attributes:
      unit: of timestamps that are numbers; None decides from all values.
      encoding: Python's name of the encoding of CSV and JSON lines.
      now: unix seconds; a day later is the future.
      rename: the file's column name -> recjax's, where a table has none of its own.
      can_rename: whether who gives the file can give that.
      empty: whether a bad value is taken as missing, in columns where some may be.
      skipped: the file's columns that not all parts need have; None where who gives
        the file cannot say so.
    """

    unit: Unit | None = None
    encoding: str = "utf-8"
    now: float = field(default_factory=time.time)
    rename: Mapping[str, str] = field(default_factory=dict)
    can_rename: bool = True
    empty: bool = False
    skipped: frozenset[str] | None = None


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
    places: RowNumbers

    def rows(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns part and row number of rows of `table`.

        Args:
          positions: i64[n] positions in the table.

        Returns:
          i64[n] indices into `source.parts`, and i64[n] rows in them: lines of a text
          file with the header as row 1, else records from 1.
        """
        return self.places.at(positions)

    def take(self, good: np.ndarray) -> Read:
        """Returns the rows where a mask holds."""
        kept = self.places.kept
        kept = np.flatnonzero(good) if kept is None else kept[good]
        return replace(
            self, table=self.table.take(good), places=replace(self.places, kept=kept)
        )

    def tell_units(self, findings: Findings) -> None:
        """Notes what unit times were read in."""
        for name, unit in self.units.items():
            text = f"{self.names[name]!r} is read as {WORDS[unit]}"
            findings.note(self.source.label, text)

    def tell(
        self,
        findings: Findings,
        column: str,
        kind: str,
        positions: np.ndarray,
        values: Sequence[Any] | np.ndarray | Texts,
        fix: str,
        *,
        quote: bool = True,
        optional: bool = False,
    ) -> None:
        """Adds one problem for each of the rows at `positions`, as `of_rows` does.

        Args:
          findings: where problems go.
          column: recjax's name of the column, or several with ", " between them.
          kind: the problem in a few words.
          positions: i64[n] positions in the table.
          values: [n] what stands there.
          fix: what to do.
          quote: whether the values are the file's own.
          optional: whether they may be missing.
        """
        how = {"quote": quote, "optional": optional}
        theirs = ", ".join(self.names.get(name, name) for name in column.split(", "))
        parts, rows = self.rows(positions)
        for part in np.unique(parts):
            here = np.flatnonzero(parts == part)
            here = here[np.argsort(rows[here], kind="stable")]
            file = self.source.parts[part].name
            shown = [values[i] for i in here[:LISTED]]
            findings.of_rows(file, theirs, kind, rows[here], shown, fix, **how)
