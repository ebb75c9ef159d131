"""Where the rows of a table are in its files."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass
class RowNumbers:
    """The part and the row number of each row of a table, kept as ranges.

    Attributes:
      parts: the part of each stretch of rows.
      rows: the row numbers of each stretch.
      kept: i64[n] which of these rows the table has; None for all.
    """

    parts: list[int] = field(default_factory=list)
    rows: list[range | np.ndarray] = field(default_factory=list)
    kept: np.ndarray | None = None

    def __len__(self) -> int:
        """Returns how many rows there are, kept or not."""
        return sum(map(len, self.rows))

    def add(self, part: int, rows: range | np.ndarray) -> None:
        """Adds rows at the end."""
        if self.rows and self.parts[-1] == part:
            last = self.rows[-1]
            if isinstance(last, range) and isinstance(rows, range):
                if last.stop == rows.start:
                    self.rows[-1] = range(last.start, rows.stop)
                    return
        self.parts.append(part)
        self.rows.append(rows)

    def at(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the part and the row number of rows of the table, i64[n] each."""
        positions = np.asarray(positions, np.int64)
        if self.kept is not None:
            positions = self.kept[positions]
        ends = np.cumsum([len(rows) for rows in self.rows])
        stretch = np.searchsorted(ends, positions, side="right")
        numbers = np.zeros(len(positions), np.int64)
        for i in np.unique(stretch):
            here, rows = stretch == i, self.rows[i]
            inner = positions[here] - (ends[i] - len(rows))
            ranged = isinstance(rows, range)
            numbers[here] = rows.start + inner if ranged else rows[inner]
        return np.array(self.parts, np.int64)[stretch], numbers
