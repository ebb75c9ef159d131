"""Collecting the values of one column, block by block."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from recjax.tables.codes import Codes, to_lists
from recjax.tables.columns import Column, Type
from recjax.tables.convert import (
    FILL,
    Problem,
    WrongType,
    problems,
    to_numbers,
    to_text,
)
from recjax.tables.times import to_times
from recjax.tables.typed import Ragged, TypedColumn, compact
from recjax.tables.units import Decided, Unit, decide
from recjax.tables.vectors import to_vectors
from recjax.text.column import Texts, offsets_of, pack

SEPARATORS = {"ids": None, "categories": "|"}
"""What stands between the labels in a text."""


class Builder:
    """Collects the values of one column.

    Attributes:
      column: the column.
      width: of its vectors, None until there is one.
    """

    def __init__(self, column: Column, now: float) -> None:
        """Starts without values; `now` in unix seconds."""
        self.column, self._now = column, now
        self._blocks: list[Any] = []
        self._codes = Codes()
        self.width: int | None = None

    def add(self, values: pl.Series) -> list[Problem]:
        """Adds a block, and returns what is wrong with it.

        Raises:
          WrongType: nothing of that type can be in the column.
        """
        column = self.column
        if column.type == "number":
            block, found = to_numbers(values, filled=column.filled, least=column.least)
            if column.guessed and values.dtype == pl.String:
                zeros = values.str.contains(r"^\s*0\d")
                found += problems(("zeros in front of a number", "read as text", zeros))
        elif column.type == "timestamp":
            block, found = to_times(values, self._now, filled=column.filled)
        elif column.type in ("vector", "bits"):
            bits = column.type == "bits"
            block, self.width, found = to_vectors(
                values, self.width, filled=column.filled, bits=bits
            )
        elif column.type in SEPARATORS:
            separator = SEPARATORS[column.type]
            *block, found = to_lists(values, separator, self._codes)
            if column.filled:
                empty = _unless(found, block[0] == 0)
                found += problems(("missing value", FILL, empty))
        elif column.type in ("id", "category"):
            block, found = self._labels(values)
        else:
            block, found = _texts(values, filled=column.filled)
        self._blocks.append(block)
        return found

    @property
    def last(self) -> Any:
        """The last block: arrays, `Times`, `Ragged` or a series of texts."""
        return self._blocks[-1]

    def undo(self) -> Any:
        """Takes the last block back, and returns it."""
        return self._blocks.pop()

    def _labels(self, values: pl.Series) -> tuple[np.ndarray, list[Problem]]:
        column = self.column
        needs = "text or integers"
        if column.type == "id" and values.dtype == pl.Boolean:
            raise WrongType(values.dtype, needs)
        labels, found = to_text(values, needs)
        codes = self._codes.add(labels)
        if column.filled:
            found += _missing(labels, codes == 0, found)
        return codes, found

    def decide(self, unit: Unit | None) -> Decided:
        """Returns all times of a column of timestamps; those out of range are bad."""
        return decide(self._blocks, unit, self._now)

    def finish(self, times: np.ndarray | None, good: np.ndarray | None) -> TypedColumn:
        """Returns the column, and lets go of the blocks.

        Args:
          times: what was decided of a column of timestamps.
          good: bool[n] the rows to keep; None for all.
        """
        column, blocks, self._blocks = self.column, self._blocks, []
        coded = column.type in ("id", "ids", "category", "categories")
        values = _joined(column.type, blocks, self.width) if times is None else times
        labels = self._codes.labels() if coded else None
        if labels and column.type != "category":  # without a code for missing
            labels = Texts(labels.data, labels.offsets[1:])
            if isinstance(values, Ragged):
                values = Ragged(values.start, values.values - 1)
            elif isinstance(values, np.ndarray):
                values = values - 1
        width = self.width or 0 if column.type in ("vector", "bits") else None
        made = TypedColumn(column.name, column.type, values, labels, width)
        made = made if good is None else made.take(np.flatnonzero(good))
        return compact(made) if coded else made


def _joined(
    type: Type, blocks: list[Any], width: int | None
) -> np.ndarray | Ragged | Texts:
    """Returns the blocks' values end to end."""
    if type in ("text", "image"):
        return pack(pl.concat(blocks))
    if type in SEPARATORS:
        counts, codes = map(np.concatenate, zip(*blocks, strict=True))
        return Ragged(offsets_of(counts), codes)
    if type in ("vector", "bits"):
        start = offsets_of(np.concatenate([np.diff(b.start) for b in blocks]))
        dtype = np.uint8 if type == "bits" else np.float32
        parts = [b.values for b in blocks if len(b.values)]
        empty = np.zeros((0, width or 0), dtype)
        return Ragged(start, np.concatenate(parts) if parts else empty)
    return np.concatenate(blocks)


def _texts(values: pl.Series, *, filled: bool) -> tuple[pl.Series, list[Problem]]:
    """Returns texts, "" where missing; a list becomes a text of a line an entry."""
    needs = "text, or lists of text"
    if values.dtype == pl.List(pl.Null):
        values = values.cast(pl.List(pl.String))
    if values.dtype == pl.List(pl.String):
        each = pl.element().str.replace_all(r"\s+", " ").str.strip_chars()
        lines = values.list.eval(each.filter(each.str.len_bytes() > 0))
        texts, found = lines.list.join("\n"), []
    else:
        texts, found = to_text(values, needs)
        texts = texts.str.strip_chars()
    kept = texts.fill_null("")
    if filled:
        found += _missing(texts, (kept == "").to_numpy(), found)
    return kept, found


def _missing(texts: pl.Series, bad: np.ndarray, known: list[Problem]) -> list[Problem]:
    """Returns which texts are not there or blank, unless that is a problem already."""
    bad = _unless(known, bad)
    blank = bad & texts.is_not_null().to_numpy()
    return problems(("missing value", FILL, bad & ~blank), ("empty text", FILL, blank))


def _unless(known: list[Problem], bad: np.ndarray) -> np.ndarray:
    return np.logical_and.reduce([bad, *(~problem.bad for problem in known)])
