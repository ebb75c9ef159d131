"""Views: variations of images that are drawn once and kept, with maps of a network.

A data set says which views it wants and reads what is kept of them. It knows no
network: the program that opens it brings the function that makes them
(`recjax.train.views`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


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
class KeptViews:
    """Views on disk.

    Attributes:
      pixels: uint8[count, size, size, 3].
      maps: what the frozen parts of a network make of them, f16[count, h, w, C].
    """

    pixels: np.ndarray
    maps: np.ndarray


Keep = Callable[[Wanted], KeptViews]
"""Opens views; makes them first where they are not there."""
