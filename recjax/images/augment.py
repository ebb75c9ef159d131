"""From image files to square pixels: random crops for training, the middle for use."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np

from recjax.extras import require
from recjax.images.decode import decode

GREY = np.array([0.299, 0.587, 0.114], np.float32)
AS_THEY_ARE = np.eye(3, 4, dtype=np.float32)
"""Colours that stay."""


@dataclass(frozen=True)
class Augment:
    """How an image is varied in training; the paper names "random pixel shift" alone.

    Attributes:
      area: smallest and largest share of the image that a crop takes; (0.88, 0.88)
        with `shape` (1, 1) is a plain shift.
      shape: smallest and largest ratio of the crop's sides.
      flip: chance of a mirror image.
      brightness: factor is drawn from 1 - x to 1 + x.
      contrast: the same, around the mean.
      colour: the same, of the distance to grey.
      tint: the same, of each channel by itself.
    """

    area: tuple[float, float] = (0.35, 1.0)
    shape: tuple[float, float] = (0.75, 4 / 3)
    flip: float = 0.5
    brightness: float = 0.3
    contrast: float = 0.3
    colour: float = 0.3
    tint: float = 0.07

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
          ValueError: a setting outside its range.
        """
        if not 0 < self.area[0] <= self.area[1] <= 1:
            raise ValueError(f"area = {self.area}: must rise within 0..1")
        if not 0 < self.shape[0] <= self.shape[1]:
            raise ValueError(f"shape = {self.shape}: must rise from above 0")

    def __call__(
        self, data: bytes, size: int, generator: np.random.Generator
    ) -> np.ndarray:
        """Decodes a random variation, uint8 [size, size, 3].

        Args:
          data: bytes of an image file.
          size: pixels a side.
          generator: source of randomness; the same state gives the same pixels.

        Raises:
          BadImageError: it cannot be decoded.
        """
        kernels = _kernels()
        u = generator.random(11)
        low, high = self.area
        share = low + (high - low) * u[0]
        ratio = np.exp(np.interp(u[1], (0, 1), np.log(self.shape)))
        # No crop needs more pixels than it would show of the whole image.
        least = int(np.ceil(size / np.sqrt(share) * max(ratio, 1 / ratio) ** 0.5))
        pixels = decode(data, least, least)
        height, width = pixels.shape[:2]
        area = share * height * width
        tall = min(height, np.sqrt(area / ratio))
        wide = min(width, np.sqrt(area * ratio))
        top, left = u[2] * (height - tall), u[3] * (width - wide)
        # One type, so that one compilation serves all.
        box = float(left), float(top), float(wide), float(tall)
        colours = self._colours(2 * u[5:] - 1, kernels.grey_mean(pixels, *box, GREY))
        return kernels.resample(pixels, *box, size, bool(u[4] < self.flip), colours)

    def _colours(self, v: np.ndarray, mean: float) -> np.ndarray:
        """Returns the affine map of (red, green, blue) that is all changes in one."""
        keep = 1 + self.colour * v[0]
        gain = 1 + self.contrast * v[2]
        level = (1 + self.brightness * v[1]) * (1 + self.tint * v[3:6])
        mixed = gain * (keep * np.eye(3) + (1 - keep) * np.tile(GREY, (3, 1)))
        shift = (1 - gain) * mean * level
        return np.c_[level[:, None] * mixed, shift].astype(np.float32)


@dataclass(frozen=True)
class CenterCrop:
    """The middle of an image, the same each time.

    Attributes:
      share: share of the shorter side that is kept: 224 / 232 cuts 224 of 232 pixels.
    """

    share: float = 224 / 232

    def __call__(self, data: bytes, size: int) -> np.ndarray:
        """Decodes the middle square, uint8 [size, size, 3].

        Raises:
          BadImageError: it cannot be decoded.
        """
        least = self.least(size)
        pixels = decode(data, least, least)
        height, width = pixels.shape[:2]
        side = self.share * min(height, width)
        left, top = (width - side) / 2, (height - side) / 2
        box = float(left), float(top), float(side), float(side)
        return _kernels().resample(pixels, *box, size, False, AS_THEY_ARE)

    def least(self, size: int) -> int:
        """Returns how many pixels a side of the image must have at least."""
        return int(np.ceil(size / self.share))


def _kernels() -> ModuleType:
    """Returns what is compiled: loaded by those alone who read images."""
    require("numba", "images", "resizing images")
    from recjax.images import resample

    return resample
