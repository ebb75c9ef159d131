"""Visual features that need no training: colour, shape, texture. Needs scikit-image.

Wang et al. 2014 mix 27 of them into a "golden" feature that supplies relevance. The mix
here is ours: a colour histogram in CIE Lab, histograms of oriented gradients (Dalal &
Triggs 2005) and local binary patterns (Ojala et al. 2002), each of length 1.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def lab_histogram(pixels: np.ndarray, bins: int = 8) -> np.ndarray:
    """Returns the joint histogram of L*, a* and b* of sRGB pixels, sum 1 [bins ** 3].

    Bins of a and b share -100..100; the few stronger colours count in the outermost.
    """
    from skimage.color import rgb2lab

    scaled = (rgb2lab(pixels) - (0, -100, -100)) / (100, 200, 200) * bins
    place = np.clip(scaled, 0, bins - 1).astype(np.int64).reshape(-1, 3)
    code = (place[:, 0] * bins + place[:, 1]) * bins + place[:, 2]
    return np.bincount(code, minlength=bins**3) / len(code)


def hog(
    pixels: np.ndarray, side: int = 128, cell: int = 16, turns: int = 9
) -> np.ndarray:
    """Returns histograms of oriented gradients, length 1, cells in blocks of 2 x 2.

    Args:
      pixels: uint8 [H, W, 3].
      side: the image is scaled to side x side.
      cell: pixels a side of a cell.
      turns: orientations from 0 to 180 degrees, unsigned.
    """
    from PIL import Image
    from skimage import feature

    image = Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR)
    blocks = feature.hog(
        np.asarray(image) / 255,
        orientations=turns,
        pixels_per_cell=(cell, cell),
        cells_per_block=(2, 2),
        block_norm="L2-Hys",
        transform_sqrt=True,
        channel_axis=-1,
    )
    return blocks / max(np.linalg.norm(blocks), 1e-12)


def binary_patterns(pixels: np.ndarray, side: int = 128) -> np.ndarray:
    """Returns the histogram of 8-neighbour patterns by turn and uniformity, sum 1 [10].

    Patterns that change at most twice around the circle count by their number of
    brighter neighbours, all others together.
    """
    from PIL import Image
    from skimage.feature import local_binary_pattern

    image = Image.fromarray(pixels).convert("L").resize((side, side))
    codes = local_binary_pattern(np.asarray(image), 8, 1, "uniform")[1:-1, 1:-1]
    return np.bincount(codes.astype(np.int64).ravel(), minlength=10) / codes.size


def handcrafted(
    pixels: np.ndarray, weights: Mapping[str, float] | None = None
) -> np.ndarray:
    """Returns the mix: colour, shape and texture side by side [W].

    Args:
      pixels: uint8 [H, W, 3].
      weights: "colour", "shape" and "texture" -> share of the squared distance; equal
        by default.
    """
    weights = {"colour": 1.0, "shape": 1.0, "texture": 1.0} | dict(weights or {})
    parts = {
        # Roots of histograms: their Euclidean distance is Hellinger's.
        "colour": np.sqrt(lab_histogram(pixels)),
        "shape": hog(pixels),
        "texture": np.sqrt(binary_patterns(pixels)),
    }
    return np.concatenate([np.sqrt(weights[k]) * v for k, v in parts.items()])
