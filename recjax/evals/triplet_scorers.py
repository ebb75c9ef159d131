"""What can judge triplets of image files: a model, a frozen network, plain features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jax.numpy as jnp
import numpy as np

from recjax.errors import UserError
from recjax.evals.baselines.frozen import Pooled
from recjax.evals.baselines.images import PLAIN
from recjax.evals.embed import Show, embed_images, images_of, unit
from recjax.extras import require
from recjax.images.augment import CenterCrop
from recjax.images.decode import decode
from recjax.index.exact import Score, dot
from recjax.nn.backbones import FrozenBranch, Weights
from recjax.nn.levels import measured, standardised
from recjax.nn.lite import FrozenLite
from recjax.train.program import Program
from recjax.train.state import State


class TripletScorer(Protocol):
    """From bytes of image files to vectors, and what is large between near ones."""

    @property
    def score(self) -> Score:
        """What is large between near vectors."""
        ...

    def read(self, data: bytes) -> np.ndarray:
        """Returns what the scorer sees of an image file, of one shape for all.

        Raises:
          BadImageError: it cannot be decoded.
        """
        ...

    def embed(self, read: np.ndarray) -> np.ndarray:
        """Returns vectors [n, W] of what was read of some images [n, ...]."""
        ...

    def together(self, vectors: np.ndarray) -> np.ndarray:
        """Returns the vectors of all images as `score` takes them."""
        ...


class ImageEmbedder(Protocol):
    """A trained model, as a run or as a bundle: from image files to vectors."""

    def pixels(self, data: bytes) -> np.ndarray:
        """Decodes an image as the model sees it, uint8 [size, size, 3].

        Raises:
          BadImageError: it cannot be decoded.
        """
        ...

    def embed(self, names: Sequence[Any], show: Show) -> np.ndarray:
        """Returns vectors of length 1 [n, D] of what `show` reads block by block."""
        ...


@dataclass(frozen=True)
class RunImageEmbedder:
    """Embeds images with a trained run.

    Attributes:
      program: the opened experiment.
      state: the trained state.
    """

    program: Program
    state: State

    def pixels(self, data: bytes) -> np.ndarray:
        """See `ImageEmbedder`."""
        settings = images_of(self.program).settings
        return settings.center_crop(data, settings.size)

    def embed(self, names: Sequence[Any], show: Show) -> np.ndarray:
        """See `ImageEmbedder`."""
        return embed_images(self.program, self.state, names, show)


@dataclass(frozen=True)
class ByModel:
    """A trained model as a scorer.

    Attributes:
      embedder: of a run or of a bundle.
    """

    embedder: ImageEmbedder
    score: Score = dot

    def read(self, data: bytes) -> np.ndarray:
        """See `TripletScorer`."""
        return self.embedder.pixels(data)

    def embed(self, read: np.ndarray) -> np.ndarray:
        """See `TripletScorer`."""
        return self.embedder.embed(range(len(read)), lambda at: {"image": read[at]})

    def together(self, vectors: np.ndarray) -> np.ndarray:
        """See `TripletScorer`."""
        return vectors


@dataclass(frozen=True)
class ByBranches:
    """Networks as they were trained by others, pooled; several are joined.

    Attributes:
      branches: one or several. The vectors of several are standardised as they lie in
        the images of the triplets, whose labels nothing sees.
      center_crop: which part of an image they see, each at its own size.
    """

    branches: tuple[FrozenBranch, ...]
    center_crop: CenterCrop = CenterCrop()
    score: Score = dot

    def read(self, data: bytes) -> np.ndarray:
        """See `TripletScorer`; the crops one after the other, uint8 [n]."""
        crops = [self.center_crop(data, branch.size) for branch in self.branches]
        return np.concatenate([crop.ravel() for crop in crops])

    def embed(self, read: np.ndarray) -> np.ndarray:
        """See `TripletScorer`."""
        return np.concatenate(self._levels(read), 1)

    def together(self, vectors: np.ndarray) -> np.ndarray:
        """See `TripletScorer`."""
        ends = np.cumsum([n for b in self.branches for n in Pooled.of(b).widths])
        levels = np.split(vectors, ends[:-1], axis=1)
        if len(levels) == 1:
            return unit(vectors)
        known = [jnp.asarray(level) for level in levels]
        return np.asarray(standardised(known, measured(known)))

    def _levels(self, read: np.ndarray) -> list[np.ndarray]:
        found, start = [], 0
        for branch in self.branches:
            stop = start + branch.size**2 * 3
            crops = read[:, start:stop].reshape(-1, branch.size, branch.size, 3)
            found += Pooled.of(branch).embed(len(crops), crops.__getitem__)
            start = stop
        return found


@dataclass(frozen=True)
class ByFeature:
    """A plain feature as a scorer.

    Attributes:
      make: pixels -> vector.
      score: what is large between near vectors.
    """

    make: Callable[[np.ndarray], np.ndarray]
    score: Score

    def read(self, data: bytes) -> np.ndarray:
        """Makes the vector at once: whole photographs would fill memory."""
        return self.make(decode(data))

    def embed(self, read: np.ndarray) -> np.ndarray:
        """See `TripletScorer`."""
        return read

    def together(self, vectors: np.ndarray) -> np.ndarray:
        """See `TripletScorer`."""
        return vectors


def fixed(name: str, weights: Mapping[str, Weights]) -> TripletScorer | None:
    """Returns the scorer of a name that needs no training; None for another name.

    Args:
      name: "lab", "hog", "handcrafted", or one of the weights', or several joined by
        "+".
      weights: name -> weights of EfficientNet-Lite.

    Raises:
      UserError: a package is missing.
    """
    joined = name.split("+")
    if set(joined) <= set(weights):
        if len(set(joined)) < len(joined):
            raise UserError(f"{name}: name each network once")
        return ByBranches(tuple(FrozenLite(weights[one]) for one in joined))
    if name not in PLAIN:
        return None
    require("skimage", "images", f"the feature {name!r}")
    return ByFeature(*PLAIN[name])
