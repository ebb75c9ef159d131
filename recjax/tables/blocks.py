"""What opening one part of a table gives: its header, and its rows block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl


class Unusable(Exception):
    """A part cannot be read (on): the kind of problem, its fix, and what was found."""

    def __init__(self, kind: str, fix: str, value: str = "") -> None:
        """Keeps them as `problem`, the arguments of `Findings.of_file`."""
        super().__init__(kind)
        self.problem = kind, fix, value


@dataclass(frozen=True)
class Block:
    """Some rows, in the order of the file.

    Attributes:
      frame: the wanted columns by the file's names; of text files as text.
      rows: of each row its number: a range, or i64[n].
      lost: rows that could not be taken apart, and are problems already.
    """

    frame: pl.DataFrame
    rows: range | np.ndarray
    lost: int = 0


@dataclass(frozen=True)
class Opened:
    """A part whose header is known.

    Attributes:
      header: the file's columns.
      separator: of CSV, else "".
      blocks: gives the rows with these columns, or raises `Unusable`.
      close: closes the file, if no rows are wanted.
    """

    header: Sequence[str]
    separator: str
    blocks: Callable[[Sequence[str]], Iterator[Block]]
    close: Callable[[], None] = lambda: None
