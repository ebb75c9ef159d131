"""Typed columns in memory: what reading gives, preparing writes and training opens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from recjax.tables.columns import Type
from recjax.text.column import Texts, offsets_of

Held = TypeVar("Held")
LONG = 256
"""Bytes of a text, as of a photograph, from which on it is taken as a piece."""
MISSING_TIME = np.iinfo(np.int64).min
"""Stands for a timestamp that is missing."""


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths, end to end.

    Attributes:
      start: i64[n + 1]: row `i` is `values[start[i]:start[i + 1]]`.
      values: [M, ...] the rows' values.
    """

    start: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self.start) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        """Returns the values of one row."""
        return self.values[self.start[row] : self.start[row + 1]]

    def take(self, positions: np.ndarray) -> Ragged:
        """Returns the rows at `positions`."""
        start, index = _take(self.start, positions)
        return Ragged(start, self.values[index])


@dataclass(frozen=True)
class TypedColumn:
    """A column of `n` values.

    Attributes:
      name: its name.
      type: decides what `values` is: i32[n] codes into `labels`, by appearance, for
        "id" and "category" (a category's code 0, whose label is "", stands for missing
        or unknown; a missing id is -1); `Ragged` i32 codes for "ids" and
        "categories" (without a code for missing); f32[n] for "number" (NaN is missing);
        i64[n] nanoseconds since 1970 UTC for "timestamp" (`MISSING_TIME` is missing);
        `Ragged` f32 [M, width] or u8 [M, width] for "vector" and "bits"; `Texts` for
        "text" and "image" ("" is missing).
      values: the values.
      labels: what the codes stand for.
      width: numbers, or bytes, of a vector.
    """

    name: str
    type: Type
    values: np.ndarray | Ragged | Texts
    labels: Texts | None = None
    width: int | None = None

    @property
    def array(self) -> np.ndarray:
        """The values of an id, a category, a number or a timestamp."""
        return self._held(np.ndarray, self.values)

    @property
    def ragged(self) -> Ragged:
        """The values of ids, categories, vectors or bits."""
        return self._held(Ragged, self.values)

    @property
    def texts(self) -> Texts:
        """The values of a text or an image."""
        return self._held(Texts, self.values)

    @property
    def vocabulary(self) -> Texts:
        """The labels of a column that has codes."""
        return self._held(Texts, self.labels)

    def _held(self, kind: type[Held], held: object) -> Held:
        if not isinstance(held, kind):
            raise TypeError(f"column {self.name!r} of type {self.type}")
        return held

    def take(self, positions: np.ndarray) -> TypedColumn:
        """Returns the values at `positions`; labels stay."""
        if isinstance(self.values, Texts):
            return replace(self, values=_texts(self.values, positions))
        if isinstance(self.values, Ragged):
            return replace(self, values=self.values.take(positions))
        return replace(self, values=self.values[positions])


@dataclass(frozen=True)
class Table:
    """Typed columns of `rows` rows each, by name."""

    rows: int
    columns: Mapping[str, TypedColumn]

    def __getitem__(self, name: str) -> TypedColumn:
        """Returns a column."""
        return self.columns[name]

    def __contains__(self, name: str) -> bool:
        """Returns whether there is such a column."""
        return name in self.columns

    def take(self, positions: np.ndarray) -> Table:
        """Returns the rows at `positions` (indices, or a mask) in that order."""
        positions = np.asarray(positions)
        if positions.dtype == bool:
            positions = np.flatnonzero(positions)
        columns = {name: c.take(positions) for name, c in self.columns.items()}
        return Table(len(positions), columns)


def _take(start: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns new starts, and the index of each value that is kept."""
    first = start[:-1][positions]
    lengths = start[1:][positions] - first
    new = offsets_of(lengths)
    return new, np.arange(new[-1]) + np.repeat(first - new[:-1], lengths)


def _texts(texts: Texts, positions: np.ndarray) -> Texts:
    first = texts.offsets[:-1][positions]
    ends = texts.offsets[1:][positions]
    new = offsets_of(ends - first)
    if new[-1] <= LONG * len(first):
        new, index = _take(texts.offsets, positions)
        return Texts(texts.data[index], new)
    # An index of every byte would be eight times what it finds.
    parts = [texts.data[a:b] for a, b in zip(first, ends, strict=True)]
    return Texts(np.concatenate(parts), new)


def compact(column: TypedColumn) -> TypedColumn:
    """Returns a column of codes with the labels that are used, by appearance."""
    ragged = isinstance(column.values, Ragged)
    codes, labels = column.ragged.values if ragged else column.array, column.vocabulary
    # A category's first label, like the code -1 of ids, stands for missing.
    fixed = int(column.type == "category")
    count = len(labels)
    first = np.full(count + 1, len(codes), np.int64)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    used = np.flatnonzero(first[fixed:-1] < len(codes)) + fixed
    order = used[np.argsort(first[used], kind="stable")]
    if len(order) == count - fixed and (np.diff(order) == 1).all():
        return column
    new = np.full(count + 1, fixed - 1, np.int32)
    new[order] = np.arange(fixed, fixed + len(order))
    start, index = _take(labels.offsets, np.append(np.arange(fixed), order))
    codes = new[codes]
    return replace(
        column,
        values=Ragged(column.ragged.start, codes) if ragged else codes,
        labels=Texts(labels.data[index], start),
    )


def select(texts: Texts, positions: np.ndarray) -> Texts:
    """Returns the texts at `positions` as a column."""
    return TypedColumn("", "text", texts).take(positions).texts


def labels_of(column: TypedColumn) -> Texts:
    """Returns the label of each row."""
    if np.array_equal(column.array, np.arange(len(column.vocabulary))):
        return column.vocabulary
    return select(column.vocabulary, column.array)
