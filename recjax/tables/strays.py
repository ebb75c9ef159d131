"""The few values that keep a column from being one of numbers, or of times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from recjax.tables.builder import Builder
from recjax.tables.columns import Column

Wanted = Literal["number", "timestamp"]
FEW = 0.1
"""Share of values from which on they are no longer few."""
SHOWN = 10
WIDTH = 40


@dataclass(frozen=True)
class Strays:
    """Few values that are not of a type, of all others.

    Attributes:
      type: what the others are.
      count: how many do not fit.
      values: how many there are in all.
      shown: the first ones, each with the row where it stands.
    """

    type: Wanted
    count: int
    values: int
    shown: tuple[str, ...]

    def __str__(self) -> str:
        """Returns how many do not fit, and which, as text."""
        one, share = self.count == 1, f"{self.count / self.values:.3%}"
        what = "number" if self.type == "number" else "time"
        are = f"is no {what}" if one else f"are no {what}s"
        more = self.count - len(self.shown)
        return (
            f"{self.count:,} of {self.values:,} values ({share}) {are}: "
            + ", ".join(self.shown)
            + f" and {more:,} more" * bool(more)
        )


class Search:
    """Gathers what does not fit from the first block on that has such."""

    def __init__(self, type: Wanted, name: str, now: float, before: int) -> None:
        """Starts after so many values that fit; `now` is in unix seconds."""
        self.type: Wanted = type
        self.count, self.values, self.shown = 0, before, []
        self._builder = Builder(Column(name, type, filled=False), now)

    def add(self, there: pl.Series, rows: np.ndarray, file: str) -> bool:
        """Looks at a block, and returns whether what does not fit is still little.

        Args:
          there: texts.
          rows: i64[n], where they stand.
          file: the part that they are in, or "" for the only one.
        """
        found = self._builder.add(there)
        self._builder.undo()
        self.values += len(there)
        if found:
            bad = np.logical_or.reduce([problem.bad for problem in found])
            self.count += int(bad.sum())
            end = f" of {file})" if file else ")"
            free = SHOWN - len(self.shown)
            odd = there.filter(pl.Series(bad)).head(free).to_list()
            for value, row in zip(odd, rows[bad].tolist(), strict=False):
                self.shown.append(f"{value[:WIDTH]!r} (row {row}{end}")
        return self.count < FEW * self.values

    def finish(self) -> Strays:
        """Returns what was found."""
        return Strays(self.type, self.count, self.values, tuple(self.shown))
