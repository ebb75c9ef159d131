"""Text that shows itself: in a terminal, and in a notebook, as it is written."""

from __future__ import annotations

import html
from collections.abc import Sequence


class Shown(str):
    """Text of several lines, such as a table, that notebooks show as it is."""

    def __repr__(self) -> str:
        """Returns the text, without quotes."""
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self)}</pre>"


def table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Returns rows of cells as lines, a column as wide as its widest cell.

    Args:
      rows: the head first.
      right: positions of columns of numbers.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)
