"""Baselines of image search: features that need no training on triplets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from recjax.data.dataset import HasImages
from recjax.evals.baselines.frozen import Pooled
from recjax.evals.embed import as_images, unit
from recjax.evals.evaluation import Evaluated
from recjax.evals.gallery import Embed
from recjax.extras import require
from recjax.images.decode import decode
from recjax.images.handcrafted import handcrafted, hog, lab_histogram
from recjax.index.exact import Score, dot
from recjax.nn.backbones import FrozenBranch, Weights
from recjax.nn.levels import measured, standardised
from recjax.nn.lite import FrozenLite
from recjax.train.program import Program
from recjax.train.state import State

Features = Literal["lab", "hog", "handcrafted"] | Weights | FrozenBranch
"""A visual feature by name, or the pooled map of a trained network."""


def squared(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Returns |query|^2 less squared Euclidean distances, which orders as these."""
    return 2 * queries @ gallery.T - (gallery * gallery).sum(1)[None]


def manhattan(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Returns L1 distances, negative."""
    from scipy.spatial.distance import cdist

    return -cdist(queries, gallery, "cityblock")


PLAIN: dict[str, tuple[Callable, Score]] = {
    "lab": (lab_histogram, manhattan),
    "hog": (hog, dot),
    "handcrafted": (handcrafted, squared),
}
"""Feature -> how it is made of pixels, and what is large between near ones."""


@dataclass(frozen=True)
class ImageFeature:
    """A fixed feature.

    Attributes:
      features: "lab" (8 x 8 x 8 histogram, L1), "hog", "handcrafted", weights of
        EfficientNet-Lite (pooled, length 1, of what the model too sees of an image),
        or another frozen branch.
      blocks: of EfficientNet-Lite, by number from 0, whose pooled maps are joined to
        that, each number standardised as it lies in the gallery.
      branches: further frozen branches that are joined, standardised likewise. Each
        sees the image at its own size.

    Example:
      ImageFeature(ImageNet(), branches=(FrozenLite(ImageNet(2)),))
    """

    features: Features
    blocks: tuple[int, ...] = ()
    branches: tuple[FrozenBranch, ...] = ()

    def __post_init__(self) -> None:
        """Checks what is joined.

        Raises:
          ValueError: a feature by name has no blocks and joins nothing, or the blocks
            are said where the branch has its own.
        """
        if isinstance(self.features, str):
            if self.blocks:
                raise ValueError(f"{self.features!r} has no blocks: {self.blocks}")
            if self.branches:
                raise ValueError(f"{self.features!r} cannot be joined with branches")
        elif self.blocks and isinstance(self.features, FrozenBranch):
            raise ValueError(f"blocks = {self.blocks}: say them in {self.features}")

    def check(self) -> None:
        """See `ImageScorer`."""
        if isinstance(self.features, str):
            require("skimage", "images", f"the feature {self.features!r}")

    def fit(self, data: HasImages, held: np.ndarray) -> tuple[Embed, Score]:
        """Returns (positions -> features [n, W]) and their score."""
        if isinstance(self.features, str):
            return _features(data, self.features)
        first = _branch(self.features)
        if self.blocks and isinstance(first, FrozenLite):
            first = replace(first, blocks=self.blocks)

        def embed(positions: np.ndarray) -> list[jax.Array]:
            asked = tuple(positions)
            found = [_pooled(data, one, asked) for one in (first, *self.branches)]
            return [jnp.asarray(x) for levels in found for x in levels]

        if not self.branches and len(Pooled.of(first).widths) == 1:
            return _features(data, first)
        known = measured(embed(held))
        return lambda asked: np.asarray(standardised(embed(asked), known)), dot


@dataclass(frozen=True)
class Lda:
    """Linear discriminants of features with a shrunk covariance within classes.

    Fitted on the finest classes of the gallery. Needs scikit-learn.

    Attributes:
      features: as of `ImageFeature`.
      shrinkage: 0..1; the covariance becomes (1 - s) S + s trace(S) / W. Chosen on
        validation.
    """

    features: Features
    shrinkage: float = 0.5

    def check(self) -> None:
        """See `ImageScorer`."""
        require("sklearn", "baselines", "linear discriminants")

    def fit(self, data: HasImages, held: np.ndarray) -> tuple[Embed, Score]:
        """Returns (positions -> vectors of length 1) and their cosine.

        Raises:
          ValueError: fewer than two classes.
        """
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        embed, _ = _features(data, self.features)
        known, label = embed(held), data.table.labels[held, -1]
        if len(np.unique(label)) < 2:
            raise ValueError("linear discriminants need two classes or more")
        # Classes of equal points have no covariance at all.
        noise = 1e-6 * np.random.default_rng(0).standard_normal(known.shape)
        model = LinearDiscriminantAnalysis(solver="eigen", shrinkage=self.shrinkage)
        model.fit(known + noise, label)
        # This solver does not centre what it transforms.
        centre = model.transform(known.mean(0, dtype=np.float64)[None])

        def project(positions: np.ndarray) -> np.ndarray:
            return unit(model.transform(embed(positions).astype(np.float64)) - centre)

        return project, dot


@dataclass(frozen=True)
class LogisticAccuracy:
    """Accuracy of logistic regression on features, by the finest classes.

    Needs scikit-learn.

    Attributes:
      features: as of `ImageFeature`.
      split: images to classify.
      gallery: what it is fitted on.
      strength: inverse of the regularisation, `C` of scikit-learn; chosen on
        validation.
    """

    features: Features
    split: str = "test"
    gallery: str = "train"
    strength: float = 10.0
    every = 0
    trained = False

    def metrics(self, data: Any) -> Sequence[str]:
        """Returns the name of the figure; see `Evaluation`."""
        require("sklearn", "baselines", "logistic regression")
        return [f"{as_images(data).table.levels[-1]}/accuracy"]

    def run(self, program: Program, state: State) -> Evaluated:
        """Returns the accuracy."""
        del state
        data = as_images(program.dataset)
        embed, _ = _features(data, self.features)
        held, asked = (data.table.of_split(s) for s in (self.gallery, self.split))
        label = data.table.labels[:, -1]
        right = self.fit(embed(held), label[held]).predict(embed(asked)) == label[asked]
        return Evaluated({f"{data.table.levels[-1]}/accuracy": float(right.mean())})

    def fit(self, features: np.ndarray, label: np.ndarray) -> Any:
        """Returns scikit-learn's model of features [N, W] and classes [N]."""
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=self.strength, max_iter=200)
        return model.fit(features.astype(np.float64), label)


def _features(data: HasImages, features: Features) -> tuple[Embed, Score]:
    """Returns (positions -> features [n, W]) and their score."""
    if isinstance(features, str):
        make, distances = PLAIN[features]

        def plain(positions: np.ndarray) -> np.ndarray:
            return np.stack([make(decode(data.table.read(i))) for i in positions])

        return plain, distances
    branch = _branch(features)

    def embed(positions: np.ndarray) -> np.ndarray:
        levels = _pooled(data, branch, tuple(positions))
        return unit(np.concatenate([unit(level) for level in levels], 1))

    return embed, dot


def _branch(features: Weights | FrozenBranch) -> FrozenBranch:
    return features if isinstance(features, FrozenBranch) else FrozenLite(features)


def _pooled(
    data: Any, branch: FrozenBranch, positions: tuple[int, ...]
) -> list[np.ndarray]:
    """Returns vectors [n, D] of each map; baselines of one run share them."""
    return _shared(data, Pooled.of(branch), positions)


@lru_cache(maxsize=8)
def _shared(data: Any, network: Pooled, positions: tuple[int, ...]) -> list[np.ndarray]:
    return network.embed(
        len(positions), lambda at: data.center_crops(positions[at], network.size)
    )
