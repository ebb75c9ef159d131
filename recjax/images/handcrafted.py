"""Visual features that need no training: colour, shape, texture.

Wang et al. 2014 mix 27 of them into a "golden" feature that supplies relevance. The mix
here is ours: a colour histogram in CIE Lab, histograms of oriented gradients (Dalal &
Triggs 2005) and local binary patterns (Ojala et al. 2002), each of length 1.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image

TO_XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
WHITE = np.array([0.95047, 1.0, 1.08883])
"""D65."""


def lab(pixels: np.ndarray) -> np.ndarray:
    """Returns CIE L*a*b* of sRGB pixels: L 0..100, a and b about -128..127 [..., 3]."""
    linear = _LINEAR[pixels]
    xyz = linear @ TO_XYZ.T / WHITE
    cubed = (6 / 29) ** 3
    f = np.where(xyz > cubed, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def _linear() -> np.ndarray:
    value = np.arange(256) / 255
    return np.where(value > 0.04045, ((value + 0.055) / 1.055) ** 2.4, value / 12.92)


_LINEAR = _linear()


def lab_histogram(pixels: np.ndarray, bins: int = 8) -> np.ndarray:
    """Returns the joint histogram of L, a and b, sum 1 [bins ** 3].

    Bins of a and b share -100..100; the few stronger colours count in the outermost.
    """
    scaled = (lab(pixels) - (0, -100, -100)) / (100, 200, 200) * bins
    place = np.clip(scaled, 0, bins - 1).astype(np.int64).reshape(-1, 3)
    code = (place[:, 0] * bins + place[:, 1]) * bins + place[:, 2]
    return np.bincount(code, minlength=bins**3) / len(code)


def hog(
    pixels: np.ndarray, side: int = 128, cell: int = 16, turns: int = 9
) -> np.ndarray:
    """Returns histograms of oriented gradients, cells normalised in blocks of 2 x 2.

    Args:
      pixels: uint8 [H, W, 3].
      side: the image is scaled to side x side.
      cell: pixels a side of a cell.
      turns: orientations from 0 to 180 degrees, unsigned; neighbours share a vote.
    """
    image = Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR)
    light = np.sqrt(np.asarray(image, np.float64) / 255)
    dy, dx = np.zeros_like(light), np.zeros_like(light)
    dy[1:-1] = light[2:] - light[:-2]
    dx[:, 1:-1] = light[:, 2:] - light[:, :-2]
    size = np.hypot(dx, dy)
    # The channel of the largest gradient decides.
    best = size.argmax(-1)[..., None]
    dx, dy, size = (np.take_along_axis(a, best, -1)[..., 0] for a in (dx, dy, size))
    turn = np.arctan2(dy, dx) % np.pi / np.pi * turns - 0.5
    low = np.floor(turn).astype(np.int64)
    upper = turn - low
    cells = side // cell
    row, column = np.indices((side, side)) // cell
    votes = np.zeros((cells, cells, turns))
    np.add.at(votes, (row, column, low % turns), size * (1 - upper))
    np.add.at(votes, (row, column, (low + 1) % turns), size * upper)
    blocks = np.concatenate(
        [votes[i : cells - 1 + i, j : cells - 1 + j] for i in (0, 1) for j in (0, 1)],
        -1,
    )
    blocks = blocks / np.sqrt((blocks**2).sum(-1, keepdims=True) + 1e-4)
    # Dalal & Triggs' L2-Hys: cut at 0.2, once more to length 1.
    blocks = np.minimum(blocks, 0.2)
    return _unit((blocks / np.sqrt((blocks**2).sum(-1, keepdims=True) + 1e-4)).ravel())


def binary_patterns(pixels: np.ndarray, side: int = 128) -> np.ndarray:
    """Returns the histogram of 8-neighbour patterns by turn and uniformity, sum 1 [10].

    Patterns that change at most twice around the circle count by their number of
    brighter neighbours, all others together.
    """
    image = Image.fromarray(pixels).convert("L").resize((side, side))
    grey = np.asarray(image, np.int16)
    around = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    middle = grey[1:-1, 1:-1]
    bits = np.stack(
        [grey[i : side - 2 + i, j : side - 2 + j] >= middle for i, j in around]
    )
    changes = (bits != np.roll(bits, 1, axis=0)).sum(0)
    code = np.where(changes <= 2, bits.sum(0), 9)
    return np.bincount(code.ravel(), minlength=10) / code.size


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


def _unit(x: np.ndarray) -> np.ndarray:
    return x / max(np.linalg.norm(x), 1e-12)
