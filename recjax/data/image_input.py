"""How photographs of a column become features: pixels, decoded when asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from recjax.features import ImageFeature
from recjax.images.augment import CenterCrop
from recjax.tables.typed import TypedColumn


@dataclass(frozen=True)
class ImageInput:
    """The middle of a photograph as pixels, u8[B, size, size, 3]; zeros for none.

    Attributes:
      column: the column.
      size: pixels a side.
      share: of the shorter side that is kept.
    """

    column: str
    size: int
    share: float

    def encode(self, values: Sequence[bytes | None]) -> np.ndarray:
        """Returns the pixels of the bytes of image files; None is missing.

        Raises:
          BadImageError: one cannot be decoded.
        """
        return self._pixels(len(values), values)

    def encode_column(self, column: TypedColumn) -> np.ndarray:
        """Returns the pixels of all rows of a column."""
        return ImageRows(self, column)[:]

    def feature(self) -> ImageFeature:
        """Returns what a model must know of it."""
        return ImageFeature(self.size)

    def _pixels(self, count: int, files: Iterable[bytes | None]) -> np.ndarray:
        found = np.zeros((count, self.size, self.size, 3), np.uint8)
        crop = CenterCrop(self.share)
        for pixels, file in zip(found, files, strict=True):
            if file:
                pixels[:] = crop(file, self.size)
        return found


@dataclass(frozen=True)
class ImageRows:
    """The pixels of a column of photographs, decoded for the rows asked for.

    Attributes:
      kind: how they are made.
      column: may lie on disk.
    """

    kind: ImageInput
    column: TypedColumn

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self.column.values)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Returns the pixels of a slice, or of any positions."""
        at = np.arange(len(self))[rows] if isinstance(rows, slice) else rows
        return self.kind.encode([self.column.texts.encoded(row) for row in at])
