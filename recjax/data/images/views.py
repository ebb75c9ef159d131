"""Views: variations of the training images that are drawn once and kept on disk.

Where the first parts of a network are frozen, most of a step would go into what they
make of an image, again and again. With so many views of each image their maps are made
once; a step draws one of the views and starts behind the frozen parts. Runs that differ
in anything else share them.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from recjax import disk
from recjax.paths import cache_root

log = logging.getLogger(__name__)

BLOCK = 64
"""Images that the frozen parts see at a time."""


class Trunk(Protocol):
    """The frozen first parts of a network."""

    @property
    def trunk(self) -> str:
        """Says which weights and parts; two that say the same make the same maps."""
        ...

    def maps(self, images: np.ndarray) -> np.ndarray:
        """Returns f16[n, h, w, C] of uint8[n, size, size, 3]."""
        ...


@dataclass(frozen=True)
class Views:
    """Settings of kept views.

    Attributes:
      trunk: makes the maps that are kept beside the pixels; the model's own branch.
      count: views of each image.
    """

    trunk: Trunk
    count: int = 8

    def __post_init__(self) -> None:
        """Checks the number of views.

        Raises:
          ValueError: it is not positive.
        """
        if self.count < 1:
            raise ValueError(f"count = {self.count}: keep at least one view an image")


@dataclass(frozen=True)
class KeptViews:
    """Views on disk.

    Attributes:
      pixels: uint8[N * count, size, size, 3]; views of an image follow each other.
      maps: f16[N * count, h, w, C].
    """

    pixels: np.ndarray
    maps: np.ndarray


def folder_of(key: Sequence[str]) -> Path:
    """Returns where the views of a key lie: images, size, variation, trunk, count."""
    digest = hashlib.sha256("\0".join(key).encode()).hexdigest()[:16]
    return cache_root() / "views" / digest


def open_views(
    folder: Path, count: int, view: Callable[[int], np.ndarray], trunk: Trunk
) -> KeptViews:
    """Opens views; makes them first where they are not there.

    Args:
      folder: appears when all are made.
      count: number of views of all images.
      view: number of a view -> its pixels uint8[size, size, 3].
      trunk: makes the maps.

    Raises:
      UserError: the disk refuses.
    """
    if not folder.is_dir():
        fix = "free space, or name another disk by RECJAX_CACHE"
        with disk.writing("the views of the images", folder, fix):
            _make(folder, count, view, trunk)
    names = ("pixels.npy", "maps.npy")
    return KeptViews(*(np.load(folder / name, mmap_mode="r") for name in names))


def _make(
    folder: Path, count: int, view: Callable[[int], np.ndarray], trunk: Trunk
) -> None:
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    held: list[np.memmap] = []
    told = began = time.monotonic()
    for start in range(0, count, BLOCK):
        numbers = range(start, min(start + BLOCK, count))
        pixels = np.stack([view(i) for i in numbers])
        # One shape for all blocks, so that the network is compiled once.
        padded = np.pad(pixels, ((0, BLOCK - len(pixels)), *((0, 0),) * 3))
        parts = pixels, trunk.maps(padded)[: len(pixels)]
        if not held:
            files = (partial / "pixels.npy", partial / "maps.npy")
            held = [
                np.lib.format.open_memmap(
                    file, mode="w+", dtype=part.dtype, shape=(count, *part.shape[1:])
                )
                for file, part in zip(files, parts, strict=True)
            ]
        for file, part in zip(held, parts, strict=True):
            file[numbers.start : numbers.stop] = part
        if time.monotonic() - told > 10:
            told = time.monotonic()
            left = (told - began) / numbers.stop * (count - numbers.stop)
            log.info("views of images: %d/%d, %.0f s left", numbers.stop, count, left)
    for file in held:
        file.flush()
    partial.rename(folder)
