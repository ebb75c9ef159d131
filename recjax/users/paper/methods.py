"""Ways to turn what a user did into embeddings: PinnerSage and its rivals.

Each is a row of the paper's tables 1, 3 and 4. A method returns all of its embeddings
and the importance of each; who retrieves draws e of them, who ranks takes all.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.cluster import hierarchy, vq

from recjax.users.dendrogram import cut
from recjax.users.importance import importance
from recjax.users.medoids import centroids, medoids
from recjax.users.ward import ward

Embeddings = tuple[np.ndarray, np.ndarray]
"""Unit vectors float32 [C, D] and their importance [C]."""


@dataclass(frozen=True)
class LastItem:
    """The last action alone."""

    def __call__(self, points: np.ndarray, age: np.ndarray) -> Embeddings:
        """Returns the embeddings; see `Clustered`."""
        return points[-1:], np.ones(1)


@dataclass(frozen=True)
class AllItems:
    """Each action by itself."""

    def __call__(self, points: np.ndarray, age: np.ndarray) -> Embeddings:
        """Returns the embeddings; see `Clustered`."""
        return points, np.ones(len(points))


@dataclass(frozen=True)
class DecayAverage:
    """The mean of all actions, those long ago weighing less.

    Attributes:
      decay: per day.
    """

    decay: float = 0.01

    def __call__(self, points: np.ndarray, age: np.ndarray) -> Embeddings:
        """Returns the embeddings; see `Clustered`."""
        return _unit(np.exp(-self.decay * age)[None] @ points), np.ones(1)


@dataclass(frozen=True)
class Clustered:
    """Clusters, each by its medoid or its mean, weighed by importance.

    Attributes:
      label: points [m, D] -> cluster of each [m].
      decay: of importance, per day.
      center: the mean in place of the medoid.
    """

    label: Callable[[np.ndarray], np.ndarray]
    decay: float = 0.01
    center: bool = False

    def __call__(self, points: np.ndarray, age: np.ndarray) -> Embeddings:
        """Returns the embeddings of a user.

        Args:
          points: unit vectors of the actions by time, float32 [m, D], m >= 1.
          age: of each, in days.
        """
        label = self.label(points)
        if self.center:
            found = _unit(centroids(points, label))
        else:
            found = points[medoids(points, label)]
        return found, importance(label, age, self.decay)


@dataclass(frozen=True)
class Ward:
    """Ward's clusters up to alpha, in squared units."""

    alpha: float

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Returns the cluster of each point."""
        return cut(ward(points, near=self.alpha), self.alpha)


@dataclass(frozen=True)
class CompleteLinkage:
    """Clusters whose farthest two points are nearer than `apart`, in squared units."""

    apart: float

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Returns the cluster of each point."""
        if len(points) < 2:
            return np.zeros(len(points), np.int64)
        table = hierarchy.linkage(points, "complete")
        found = hierarchy.fcluster(table, np.sqrt(self.apart), "distance")
        return np.unique(found, return_inverse=True)[1]


@dataclass(frozen=True)
class KMeans:
    """k clusters by Lloyd's algorithm from k-means++."""

    k: int = 5

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Returns the cluster of each point."""
        distinct = len(np.unique(points, axis=0))
        if distinct <= self.k:
            return np.unique(points, axis=0, return_inverse=True)[1].ravel()
        with warnings.catch_warnings():
            # A cluster that runs empty is no harm: fewer are left.
            warnings.simplefilter("ignore")
            _, found = vq.kmeans2(points, self.k, 20, minit="++", rng=0)
        return np.unique(found, return_inverse=True)[1]


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(length, 1e-12)).astype(np.float32)


class Once:
    """Clusters the points of one call after the other no more often than they change.

    The rows of a table share the clusters of a user and day.
    """

    def __init__(self, label: Callable[[np.ndarray], np.ndarray]):
        """Wraps a way to cluster points."""
        self._label = label
        self._of: tuple = (None, None)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Returns the cluster of each point."""
        if self._of[0] is not points:
            self._of = points, self._label(points)
        return self._of[1]


def table(alpha: float, apart: float, k: int = 5) -> dict[str, tuple[Callable, int]]:
    """Returns the rows of the paper's tables 3 and 4: name -> (method, e).

    Args:
      alpha: of Ward's clusters.
      apart: of complete linkage.
      k: of k-means; that with the paper's 5 is there as well.
    """
    wards = Once(Ward(alpha))
    means = {f"k-means, k = {n}": (Clustered(KMeans(n)), 3) for n in sorted({5, k})}
    decays = (0.0, 0.01, 0.1, 0.25)
    return {
        "last item": (LastItem(), 1),
        **{f"decay average, {d:g}": (DecayAverage(d), 1) for d in decays},
        "PinnerSage, sample 1": (Clustered(wards), 1),
        **means,
        "complete linkage": (Clustered(CompleteLinkage(apart)), 3),
        "centroid": (Clustered(wards, center=True), 3),
        "importance, decay 0": (Clustered(wards, decay=0.0), 3),
        "importance, decay 0.1": (Clustered(wards, decay=0.1), 3),
        "PinnerSage": (Clustered(wards), 3),
    }


def single() -> dict[str, Callable]:
    """Returns the rows of the paper's table 1: name -> method."""
    return {
        "last item": LastItem(),
        **{f"decay average, {d:g}": DecayAverage(d) for d in (0.0, 0.01, 0.1, 0.25)},
        "k-means oracle, k = 3": Clustered(KMeans(3), center=True),
        "oracle": AllItems(),
    }
