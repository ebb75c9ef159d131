"""How photographs of a column become features: pixels, decoded when asked for."""

from __future__ import annotations

from collections.abc import Sequence
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
        found = np.zeros((len(values), self.size, self.size, 3), np.uint8)
        crop = CenterCrop(self.share)
        for pixels, file in zip(found, values, strict=True):
            if file:
                pixels[:] = crop(file, self.size)
        return found

    def encode_column(self, column: TypedColumn) -> np.ndarray:
        """Returns the pixels of the rows of a column."""
        files = column.texts
        return self.encode([files.encoded(row) for row in range(len(files))])

    def feature(self) -> ImageFeature:
        """Returns what a model must know of it."""
        return ImageFeature(self.size)
