"""Views: variations of images that are drawn once and kept, with maps of a network.

A data set says which views it wants and reads what is kept of them. It knows no
network: the program that opens it brings the function that makes them
(`recjax.train.image_views`).
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable

import numpy as np

from recjax.data.images.table import ImageTable
from recjax.errors import UserError


@dataclass(frozen=True)
class Wanted:
    """Views that are to be kept.

    Attributes:
      key: what they depend on: images, size, variation. Equal keys are equal views.
      count: number of views.
      view: number of a view -> its pixels uint8[size, size, 3].
    """

    key: tuple[str, ...]
    count: int
    view: Callable[[int], np.ndarray]


@dataclass(frozen=True)
class RowFile:
    """Rows of a `.npy` file, read where they are asked for.

    A memory map would do, but all that was ever read of it counts as the process's
    memory, whose limit it then meets: with views the whole of them within an epoch.

    Attributes:
      file: open for reading.
      start: first byte of row 0.
      shape: of the whole.
      dtype: of the numbers.
    """

    file: BinaryIO
    start: int
    shape: tuple[int, ...]
    dtype: np.dtype

    @classmethod
    def open(cls, path: Path) -> RowFile:
        """Opens a file that `np.save` or a memory map wrote.

        Raises:
          OSError: there is none.
          ValueError: it is not such a file, or cut off.
        """
        mapped = np.load(path, mmap_mode="r")
        return cls(path.open("rb"), mapped.offset, mapped.shape, mapped.dtype)

    def __len__(self) -> int:
        """Returns the number of rows."""
        return self.shape[0]

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Returns rows [..., *shape[1:]] at positions i64[...]; threads may."""
        out = np.empty((rows.size, *self.shape[1:]), self.dtype)
        for into, row in zip(out, rows.ravel().tolist(), strict=True):
            place = self.start + range(len(self))[row] * into.nbytes
            if os.preadv(self.file.fileno(), [into], place) != into.nbytes:
                raise OSError(f"{self.file.name} is cut off at row {row}")
        return out.reshape(*rows.shape, *self.shape[1:])


@dataclass(frozen=True)
class KeptViews:
    """Views on disk.

    Attributes:
      pixels: uint8[count, size, size, 3].
      maps: what the frozen parts of a network make of them, f16[count, h, w, C].
    """

    pixels: RowFile
    maps: RowFile


Keep = Callable[[Wanted], KeptViews]
"""Opens views; makes them first where they are not there."""


@runtime_checkable
class KeepsViews(Protocol):
    """A data set that can keep views."""

    @property
    def views(self) -> int:
        """How many views of each image it wants kept; 0 for none."""
        ...

    def keeping(self, keep: Keep) -> Any:
        """Returns the data set with the function that opens views."""
        ...


def open_views(
    keep: Keep | None,
    table: ImageTable,
    images: np.ndarray,
    drawn: str,
    total: int,
    view: Callable[[int], np.ndarray],
) -> KeptViews:
    """Opens the views of some images.

    Args:
      keep: opens views.
      table: all images.
      images: positions of those that are varied.
      drawn: what else the views depend on.
      total: number of views.
      view: number of a view -> its pixels.

    Raises:
      UserError: there is nothing that opens views.
    """
    if keep is None:
        raise UserError(
            "data.views: views are kept with the maps of a model, which this data has "
            "not met; open it by open_program"
        )
    some = images[:: max(len(images) // 64, 1)]
    key = (
        *(f"{table.names[i]}" for i in images),
        *(str(zlib.crc32(table.read(int(i)))) for i in some),
        drawn,
    )
    return keep(Wanted(key, total, view))
