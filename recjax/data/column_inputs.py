"""How values of a user's columns become features: the same at training and at serving.

Each kind takes a typed column of a table, or raw values as a query gives them; None is
missing. What was learned of the training rows (labels, mean, edges) is held here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from recjax.data.image_input import ImageInput
from recjax.errors import UserError
from recjax.features import DenseFeature, IdFeature
from recjax.seconds import DAY, HOUR, SECOND_NS
from recjax.tables.typed import MISSING_TIME, Ragged, TypedColumn
from recjax.text.hashing import hash_buckets

TimePart = Literal["hour", "weekday"]
PARTS: dict[TimePart, int] = {"hour": 24, "weekday": 7}


@dataclass(frozen=True)
class CategoryInput:
    """A category, or a list of them, as rows of a table; 0 for missing and unknown.

    Attributes:
      column: the column.
      length: most categories of one value; further ones are dropped.
      many: a value is a list.
      labels: those with a row of their own, 1 and on.
      buckets: rows that labels are hashed to instead; 0 for none.
    """

    column: str
    length: int
    many: bool = False
    labels: tuple[str, ...] = field(default=(), repr=False)
    buckets: int = 0

    def encode(self, values: Sequence[Any]) -> np.ndarray:
        """Returns rows, i32[B, length], of texts or lists of texts; "" is missing."""
        lists = [([] if v is None else v) if self.many else [v or ""] for v in values]
        start = np.cumsum([0, *map(len, lists)])
        flat = self.rows([label for one in lists for label in one])
        return self._padded(Ragged(start, flat))

    def encode_column(self, column: TypedColumn) -> np.ndarray:
        """Returns rows, i32[n, length]."""
        # A missing id has the code -1, which finds what stands behind the labels.
        of_code = np.append(self.rows(list(column.vocabulary)), np.int32(0))
        if not isinstance(column.values, Ragged):
            return of_code[column.array][:, None]
        found = column.ragged
        return self._padded(Ragged(found.start, of_code[found.values]))

    def rows(self, labels: Sequence[str]) -> np.ndarray:
        """Returns the row of each label, i32[N]; 0 of "" and of unknown ones."""
        if not self.buckets:
            found = [self.positions.get(label, 0) for label in labels]
            return np.array(found, np.int32)
        some = np.array([label != "" for label in labels], bool)
        hashed = hash_buckets(labels, self.buckets) + 1
        return np.where(some, hashed, 0).astype(np.int32)

    def feature(self) -> IdFeature:
        """Returns what a model must know of it."""
        if self.buckets:
            return IdFeature(1 + self.buckets, self.length)
        return IdFeature(1 + len(self.labels), self.length, names=self.names)

    def names(self) -> tuple[str, ...]:
        """Returns the label of each row from 1 on."""
        return self.labels

    @cached_property
    def positions(self) -> dict[str, int]:
        """Label -> row."""
        return {label: row for row, label in enumerate(self.labels, 1)}

    def _padded(self, rows: Ragged) -> np.ndarray:
        """Returns the first known rows of each list, zeros after them."""
        row = np.repeat(np.arange(len(rows)), np.diff(rows.start))
        row, known = row[rows.values > 0], rows.values[rows.values > 0]
        place = np.arange(len(row)) - np.searchsorted(row, row)
        kept = place < self.length
        found = np.zeros((len(rows), self.length), np.int32)
        found[row[kept], place[kept]] = known[kept]
        return found


@dataclass(frozen=True)
class NumberInput:
    """A number, standardised, and whether it is missing: f32[B, 2].

    Attributes:
      column: the column.
      mean: of the training rows.
      deviation: of the training rows; 1 where they are all alike.
    """

    column: str
    mean: float
    deviation: float

    def encode(self, values: Sequence[float | None]) -> np.ndarray:
        """Returns f32[B, 2]; None and NaN are missing."""
        given = floats(values, np.float32)
        made = (given - np.float32(self.mean)) / np.float32(self.deviation)
        missing = np.isnan(given)
        return np.stack([np.where(missing, 0, made), missing], 1).astype(np.float32)

    def encode_column(self, column: TypedColumn) -> np.ndarray:
        """Returns f32[n, 2]."""
        return self.encode(column.array)

    def feature(self) -> DenseFeature:
        """Returns what a model must know of it."""
        # Machines add in other orders: the last digits are theirs.
        return DenseFeature(2, fitted=f"{self.mean:.6g} {self.deviation:.6g}")


@dataclass(frozen=True)
class BucketInput:
    """A number as the row of its bucket; 0 where it is missing.

    Attributes:
      column: the column.
      edges: rising; bucket `i` has the numbers from `edges[i - 1]` to below `edges[i]`,
        and row `i + 1`.
    """

    column: str
    edges: tuple[float, ...]

    def encode(self, values: Sequence[float | None]) -> np.ndarray:
        """Returns rows, i32[B, 1]; None and NaN are missing."""
        given, edges = floats(values, np.float32), np.array(self.edges, np.float32)
        row = np.searchsorted(edges, given, side="right") + 1
        return np.where(np.isnan(given), 0, row).astype(np.int32)[:, None]

    def encode_column(self, column: TypedColumn) -> np.ndarray:
        """Returns rows, i32[n, 1]."""
        return self.encode(column.array)

    def feature(self) -> IdFeature:
        """Returns what a model must know of it."""
        return IdFeature(len(self.edges) + 2, 1, fitted=repr(self.edges))


@dataclass(frozen=True)
class TimeInput:
    """The hour of the day or the day of the week of a moment, in UTC.

    Attributes:
      column: the column.
      part: "hour" is the time of day, "weekday" Monday to Sunday.
      rows: as rows 1 and on, 0 where it is missing, i32[B, 1]; instead of the sine and
        the cosine on a circle, both 0 where it is missing, f32[B, 2].
    """

    column: str
    part: TimePart
    rows: bool = False

    def encode(self, values: Sequence[float | None]) -> np.ndarray:
        """Returns features of unix seconds; None and NaN are missing."""
        seconds, size = floats(values, np.float64), PARTS[self.part]
        missing = np.isnan(seconds)
        known = np.where(missing, 0, seconds)
        if self.part == "hour":
            at = known % DAY / HOUR
        else:  # The first of January 1970 was a Thursday.
            at = (known // DAY + 3) % 7
        if self.rows:
            row = np.minimum(np.floor(at), size - 1) + 1
            return np.where(missing, 0, row).astype(np.int32)[:, None]
        angle = 2 * np.pi * at / size
        circle = np.stack([np.sin(angle), np.cos(angle)], 1)
        return np.where(missing[:, None], 0, circle).astype(np.float32)

    def encode_column(self, column: TypedColumn) -> np.ndarray:
        """Returns the features of a column of timestamps."""
        return self.encode(seconds_of(column))

    def feature(self) -> IdFeature | DenseFeature:
        """Returns what a model must know of it."""
        return IdFeature(PARTS[self.part] + 1, 1) if self.rows else DenseFeature(2)


@dataclass(frozen=True)
class VectorInput:
    """The mean of the vectors of a value, and whether there are none: f32[B, D + 1].

    Attributes:
      column: the column.
      width: numbers of a vector, or bytes.
      bits: the numbers are the bits of the bytes.
    """

    column: str
    width: int
    bits: bool = False

    @property
    def size(self) -> int:
        """`D`."""
        return self.width * (8 if self.bits else 1)

    def encode(self, values: Sequence[Any]) -> np.ndarray:
        """Returns f32[B, D + 1] of a vector each, or a list of vectors; or None."""
        kind = np.uint8 if self.bits else np.float32
        lists = [np.zeros(0) if v is None else np.asarray(v) for v in values]
        lists = [one.reshape(-1, self.width).astype(kind) for one in lists]
        start = np.cumsum([0, *map(len, lists)])
        flat = np.concatenate([np.zeros((0, self.width), kind), *lists])
        return self._means(Ragged(start, flat))

    def encode_column(self, column: TypedColumn) -> np.ndarray:
        """Returns f32[n, D + 1]; raises `UserError` for vectors of another width."""
        if len(column.ragged.values) and column.width != self.width:
            raise UserError(
                f"column {column.name!r} holds vectors of {column.width}, the model "
                f"reads {self.width}: give those it was trained with"
            )
        return self._means(column.ragged)

    def feature(self) -> DenseFeature:
        """Returns what a model must know of it."""
        return DenseFeature(self.size + 1)

    def _means(self, rows: Ragged) -> np.ndarray:
        values = rows.values
        numbers = np.unpackbits(values, axis=1) if self.bits else values
        counts = np.diff(rows.start)
        row = np.repeat(np.arange(len(rows)), counts)
        found = np.zeros((len(rows), self.size + 1), np.float32)
        np.add.at(found[:, :-1], row, numbers)
        found[:, :-1] /= np.maximum(counts, 1)[:, None]
        found[:, -1] = counts == 0
        return found


ColumnInput = (
    CategoryInput | NumberInput | BucketInput | TimeInput | VectorInput | ImageInput
)


@dataclass(frozen=True)
class ColumnRows:
    """The features of a column as an array [N, ...], made of the rows asked for.

    Attributes:
      kind: how they are made.
      column: may lie on disk.
    """

    kind: ColumnInput
    column: TypedColumn

    def __len__(self) -> int:
        """Returns `N`."""
        return len(self.column.values)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Returns the features of a slice, or of any positions."""
        at = np.arange(len(self))[rows] if isinstance(rows, slice) else rows
        return self.kind.encode_column(self.column.take(at))


def floats(values: Sequence[float | None] | np.ndarray, kind: type) -> np.ndarray:
    """Returns numbers [B]; NaN for None."""
    if isinstance(values, np.ndarray):
        return values.astype(kind, copy=False)
    return np.array([np.nan if v is None else v for v in values], kind)


def seconds_of(column: TypedColumn) -> np.ndarray:
    """Returns a column of timestamps as unix seconds, f64[n]; NaN where missing."""
    times = column.array
    whole, rest = np.divmod(times, SECOND_NS)
    return np.where(times == MISSING_TIME, np.nan, whole + rest / SECOND_NS)
