"""What can judge triplets of image files: a model, a frozen network, plain features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from recjax.evals.baselines.images import PLAIN, Pooled
from recjax.evals.embed import Show, embed_images, images_of, unit
from recjax.extras import require
from recjax.images.augment import CenterCrop
from recjax.images.decode import decode
from recjax.index.exact import Score, dot
from recjax.nn.backbones import Weights
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


@dataclass(frozen=True)
class ByBranch:
    """A network as it was trained by others, pooled.

    Attributes:
      weights: of EfficientNet-Lite0.
      center_crop: which part of an image it sees.
    """

    weights: Weights
    center_crop: CenterCrop = CenterCrop()
    score: Score = dot

    def read(self, data: bytes) -> np.ndarray:
        """See `TripletScorer`."""
        return self.center_crop(data, Pooled.of(self.weights).size)

    def embed(self, read: np.ndarray) -> np.ndarray:
        """See `TripletScorer`."""
        return unit(Pooled.of(self.weights).embed(len(read), lambda at: read[at])[-1])


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


def fixed(name: str, weights: Mapping[str, Weights]) -> TripletScorer | None:
    """Returns the scorer of a name that needs no training; None for another name.

    Args:
      name: "lab", "hog", "handcrafted", or one of the weights'.
      weights: name -> weights of EfficientNet-Lite0.

    Raises:
      UserError: a package is missing.
    """
    if name in weights:
        return ByBranch(weights[name])
    if name not in PLAIN:
        return None
    require("skimage", "images", f"the feature {name!r}")
    return ByFeature(*PLAIN[name])
