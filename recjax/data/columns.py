"""What an experiment says of the columns that its towers read.

    columns={
        "item": {"genres": CategoryColumn(), "year": NumberColumn(buckets=10)},
        "user": {"age": NumberColumn()},
        "events": {"hour": TimeColumn("timestamp")},
    }

names tables of the prepared data, and features of the sides that these tables belong
to. A feature reads the column of its own name unless it names another. What has to be
learned of a column (labels, mean, edges) is learned of its training rows alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from recjax.data.column_inputs import (
    BucketInput,
    CategoryInput,
    NumberInput,
    TimeInput,
    TimePart,
    VectorInput,
)
from recjax.data.image_input import ImageInput
from recjax.data.inputs import Input
from recjax.data.prepared import as_texts
from recjax.images.augment import CenterCrop
from recjax.tables.typed import Ragged, TypedColumn
from recjax.text.features import NGrams, Pieces


@dataclass(frozen=True)
class CategoryColumn:
    """A category, or a list of them, as rows of a table; 0 for missing and unknown.

    Attributes:
      column: the column; "" for that of the feature's name.
      length: most categories of a list; None for as many as a training row has.
      min_count: training rows that a category must stand in to get its own row.
      buckets: rows that categories are hashed to instead; None gives each its own.
    """

    column: str = ""
    length: int | None = None
    min_count: int = 1
    buckets: int | None = None
    types: ClassVar = ("category", "categories", "id", "ids")

    def __post_init__(self) -> None:
        """Raises ValueError: a number is too small, or one has no effect."""
        _at_least(1, length=self.length, min_count=self.min_count, buckets=self.buckets)
        if self.buckets is not None and self.min_count > 1:
            raise ValueError("min_count has no effect where categories are hashed")

    def fit(self, column: TypedColumn) -> CategoryInput:
        """Returns how values become rows, learned of the training rows."""
        many = isinstance(column.values, Ragged)
        codes = column.ragged.values if many else column.array
        if self.length is not None and not many:
            raise ValueError("length has no effect: it is one category, no list")
        longest = int(np.diff(column.ragged.start).max(initial=1)) if many else 1
        made = CategoryInput(column.name, self.length or longest, many)
        if self.buckets is not None:
            return replace(made, buckets=self.buckets)
        vocabulary = column.vocabulary
        counts = np.bincount(codes[codes >= 0], minlength=len(vocabulary))
        kept = vocabulary.take(np.flatnonzero(counts >= self.min_count))
        return replace(made, labels=tuple(label for label in kept if label))


@dataclass(frozen=True)
class NumberColumn:
    """A number: standardised, beside whether it is missing; or the row of its bucket.

    Attributes:
      column: the column; "" for that of the feature's name.
      buckets: rows of a table, one a bucket of equally many training rows (fewer where
        values repeat), 0 for missing; None standardises.
    """

    column: str = ""
    buckets: int | None = None
    types: ClassVar = ("number",)

    def __post_init__(self) -> None:
        """Raises ValueError: there is one bucket."""
        _at_least(2, buckets=self.buckets)

    def fit(self, column: TypedColumn) -> NumberInput | BucketInput:
        """Returns how values become features, learned of the training rows."""
        known = column.array[~np.isnan(column.array)].astype(np.float64)
        if self.buckets is None:
            mean, deviation = (known.mean(), known.std()) if len(known) else (0, 0)
            return NumberInput(column.name, float(mean), float(deviation) or 1.0)
        parts = np.linspace(0, 1, self.buckets + 1)[1:-1]
        edges = np.quantile(known, parts, method="higher") if len(known) else ()
        # The smallest value cannot part anything.
        edges = [edge for edge in np.unique(edges) if edge > known.min()]
        return BucketInput(column.name, tuple(float(edge) for edge in edges))


@dataclass(frozen=True)
class TimeColumn:
    """The hour of the day, or the day of the week, of a moment, in UTC.

    Attributes:
      column: the column; "" for that of the feature's name.
      part: "hour", the time of day; or "weekday".
      rows: rows of a table, 0 for missing; instead of the sine and the cosine of the
        place on a circle.
    """

    column: str = ""
    part: TimePart = "hour"
    rows: bool = False
    types: ClassVar = ("timestamp",)

    def fit(self, column: TypedColumn) -> TimeInput:
        """Returns how moments become features; nothing is learned."""
        return TimeInput(column.name, self.part, self.rows)


@dataclass(frozen=True)
class VectorColumn:
    """The mean of a row's vectors, or of their bits, beside whether there is none.

    Attributes:
      column: the column; "" for that of the feature's name.
    """

    column: str = ""
    types: ClassVar = ("vector", "bits")

    def fit(self, column: TypedColumn) -> VectorInput:
        """Returns how vectors become features; nothing is learned."""
        width = column.ragged.values.shape[1]
        return VectorInput(column.name, width, column.type == "bits")


@dataclass(frozen=True)
class TextColumn:
    """The n-grams, or the word pieces, of a text.

    Attributes:
      column: the column; "" for that of the feature's name.
      tokens: the vocabulary, of the training rows' texts.
      length: most tokens of a text.
    """

    column: str = ""
    tokens: NGrams | Pieces = NGrams()
    length: int = 32
    types: ClassVar = ("text", "category")

    def fit(self, column: TypedColumn) -> Input:
        """Returns how texts become ids, learned of the training rows."""
        made = self.tokens.input(as_texts(column), self.length)
        return replace(made, column=column.name)


@dataclass(frozen=True)
class ImageColumn:
    """The pixels of the middle of a photograph; zeros where there is none.

    Attributes:
      column: the column; "" for that of the feature's name.
      size: pixels a side.
      share: share of the shorter side that is kept.
    """

    column: str = ""
    size: int = 64
    share: float = CenterCrop.share
    types: ClassVar = ("image",)

    def __post_init__(self) -> None:
        """Raises ValueError: there are no pixels."""
        _at_least(1, size=self.size)
        if not 0 < self.share <= 1:
            raise ValueError(f"share = {self.share}: must be above 0, and at most 1")

    def fit(self, column: TypedColumn) -> ImageInput:
        """Returns how photographs become pixels; nothing is learned."""
        return ImageInput(column.name, self.size, self.share)


KINDS = (
    *(CategoryColumn, NumberColumn, TimeColumn, VectorColumn, TextColumn, ImageColumn),
)
Column = (
    CategoryColumn | NumberColumn | TimeColumn | VectorColumn | TextColumn | ImageColumn
)
Columns = Mapping[str, Mapping[str, Column]]
"""Table -> feature -> the column that it is made of."""


def _at_least(least: int, **numbers: int | None) -> None:
    for name, number in numbers.items():
        if number is not None and number < least:
            raise ValueError(f"{name} = {number}: must be at least {least}")
