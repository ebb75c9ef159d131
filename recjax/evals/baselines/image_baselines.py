"""Baselines of image search: features that need no training on triplets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import jax
import numpy as np

from recjax.data.images.source import ImagesData
from recjax.evals.baselines.image_features import fit_lda, fit_logistic, unit
from recjax.evals.images import KS, images_of, judge
from recjax.images.decode import decode
from recjax.images.handcrafted import handcrafted, hog, lab_histogram
from recjax.metrics import gallery
from recjax.nn import efficientnet
from recjax.nn.backbones import EfficientNetLite0, Weights
from recjax.train.program import Program
from recjax.train.state import State

Features = Literal["lab", "hog", "handcrafted"] | Weights
"""A visual feature by name, or the pooled map of a trained network."""
BLOCK = 64
_PLAIN = {
    "lab": (lab_histogram, gallery.manhattan),
    "hog": (hog, gallery.cosine),
    "handcrafted": (handcrafted, gallery.squared),
}


@dataclass(frozen=True)
class FeatureBaseline:
    """Nearest neighbours by a fixed feature.

    Attributes:
      features: "lab" (8 x 8 x 8 histogram, L1), "hog", "handcrafted", or weights of
        EfficientNet-Lite0 (pooled, length 1, of what the model too sees of an image).
      split: queries.
      gallery: what is searched.
      of: only queries of these classes, of any level; all where none is named.
    """

    features: Features
    split: str = "test"
    gallery: str = "train"
    of: tuple[str, ...] = ()
    every = 0
    trained = False

    def run(self, program: Program, state: State | None) -> Mapping[str, float]:
        """Returns recall@K and MAP@R by level."""
        del state
        data = images_of(program)
        embed, distances = _features(data, self.features)
        splits = self.split, self.gallery
        return judge(data, *splits, embed, distances, KS, self.of)


@dataclass(frozen=True)
class LdaBaseline:
    """Shrinkage LDA of features, fitted on the finest classes of the gallery.

    Attributes:
      features: as of `FeatureBaseline`.
      split: queries.
      gallery: what is searched, and what LDA is fitted on.
      shrinkage: see `fit_lda`; chosen on validation.
    """

    features: Features
    split: str = "test"
    gallery: str = "train"
    shrinkage: float = 0.5
    every = 0
    trained = False

    def run(self, program: Program, state: State | None) -> Mapping[str, float]:
        """Returns recall@K and MAP@R by level."""
        del state
        data = images_of(program)
        embed, _ = _features(data, self.features)
        held = data.table.of_split(self.gallery)
        fitted = fit_lda(embed(held), data.table.labels[held, -1], self.shrinkage)
        return judge(
            data,
            self.split,
            self.gallery,
            lambda positions: fitted(embed(positions)),
            gallery.cosine,
        )


@dataclass(frozen=True)
class LogisticBaseline:
    """Accuracy of logistic regression on features, by the finest classes.

    Attributes:
      features: as of `FeatureBaseline`.
      split: images to classify.
      gallery: what it is fitted on.
      strength: see `fit_logistic`; chosen on validation.
    """

    features: Features
    split: str = "test"
    gallery: str = "train"
    strength: float = 10.0
    every = 0
    trained = False

    def run(self, program: Program, state: State | None) -> Mapping[str, float]:
        """Returns the accuracy."""
        del state
        data = images_of(program)
        embed, _ = _features(data, self.features)
        held, asked = (data.table.of_split(s) for s in (self.gallery, self.split))
        label = data.table.labels[:, -1]
        fitted = fit_logistic(embed(held), label[held], self.strength)
        right = fitted(embed(asked)) == label[asked]
        return {f"{data.table.levels[-1]}/accuracy": float(right.mean())}


def _features(data: ImagesData, features: Features):
    """Returns (positions -> features [n, W], distances)."""
    if isinstance(features, str):
        make, distances = _PLAIN[features]

        def plain(positions: np.ndarray) -> np.ndarray:
            return np.stack([make(decode(data.table.read(i))) for i in positions])

        return plain, distances
    return (lambda positions: _pooled(data, features, tuple(positions))), gallery.cosine


@lru_cache(maxsize=4)
def _pooled(data: ImagesData, weights: Weights, positions: tuple[int, ...]):
    """Returns pooled maps of length 1 [n, W]; baselines of one run share them."""
    branch = EfficientNetLite0(frozen=efficientnet.PARTS)
    params, out = weights.load(), []
    run = jax.jit(lambda images: branch.apply(params, images / 127.5 - 1.0))
    for start in range(0, len(positions), BLOCK):
        pixels = data.center_crops(positions[start : start + BLOCK], branch.size)
        padded = np.pad(pixels, ((0, BLOCK - len(pixels)), *((0, 0),) * 3))
        out.append(np.asarray(run(padded.astype(np.float32)))[: len(pixels)])
    return unit(np.concatenate(out))
