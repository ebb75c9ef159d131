"""Nearest neighbours of queries in a separate gallery, block by block, and figures.

Recall@K: share of queries with an image of their class among the K nearest. MAP@R
(Musgrave et al. 2020): with R images of the class in the gallery, the mean over the R
nearest of the precision at each hit, 0 at each miss. Queries whose class is not in the
gallery cannot be answered; they count 0 and their share is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Distances = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(queries [Q, D], gallery [N, D]) -> [Q, N], smaller is nearer."""


def cosine(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Returns minus the dot products; for vectors of length 1 as squared distance."""
    return -(queries @ gallery.T)


def squared(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Returns squared Euclidean distances less |query|^2, which orders the same."""
    return (gallery * gallery).sum(1)[None] - 2 * queries @ gallery.T


def manhattan(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Returns L1 distances."""
    from scipy.spatial.distance import cdist

    return cdist(queries, gallery, "cityblock")


def nearest(
    queries: np.ndarray,
    gallery: np.ndarray,
    count: int,
    distances: Distances = cosine,
    block: int = 256,
    tile: int = 65_536,
) -> np.ndarray:
    """Returns the places of the `count` nearest of the gallery, nearest first [Q, K].

    Memory: block x (tile + count) numbers. Equal distances keep the gallery's order.

    Args:
      queries: vectors [Q, D].
      gallery: vectors [N, D].
      count: `K`; at most `N` are returned.
      distances: what is small when near.
      block: queries at a time.
      tile: gallery rows at a time.

    Raises:
      ValueError: NaN or infinity among the vectors.
    """
    for name, array in (("query", queries), ("gallery", gallery)):
        bad = np.flatnonzero(~np.isfinite(array).all(1))
        if len(bad):
            raise ValueError(f"NaN or infinity in {name} vector {bad[0]}")
    count = min(count, len(gallery))
    out = np.zeros((len(queries), count), np.int64)
    for start in range(0, len(queries), block):
        part = queries[start : start + block]
        found = np.full((len(part), 0), np.inf), np.zeros((len(part), 0), np.int64)
        for first in range(0, len(gallery), tile):
            far = distances(part, gallery[first : first + tile])
            place = np.broadcast_to(np.arange(first, first + far.shape[1]), far.shape)
            far = np.concatenate([found[0], far], 1)
            place = np.concatenate([found[1], place], 1)
            found = _keep(far, place, count)
        out[start : start + block] = found[1]
    return out


def _keep(far: np.ndarray, place: np.ndarray, count: int):
    if far.shape[1] > count:
        some = np.argpartition(far, count - 1, axis=1)
        edge = np.take_along_axis(far, some[:, count - 1 : count], 1)
        # Ties at the edge go to the earlier places.
        tied = np.where(far < edge, -1.0, np.where(far == edge, place, np.inf))
        some = np.argsort(tied, axis=1, kind="stable")[:, :count]
        far, place = (np.take_along_axis(x, some, 1) for x in (far, place))
    order = np.lexsort((place, far))
    return tuple(np.take_along_axis(x, order, 1) for x in (far, place))


def class_figures(
    found: np.ndarray,
    query_class: np.ndarray,
    gallery_class: np.ndarray,
    ks: Sequence[int] = (1, 2, 4, 8),
) -> dict[str, float]:
    """Returns map@r, recall@K and the share of queries that can be answered.

    Args:
      found: places of the nearest, nearest first; at least max(K, largest R) of them,
        or the whole gallery [Q, K].
      query_class: class of each query [Q].
      gallery_class: class of each gallery image [N].
      ks: of recall.
    """
    hit = gallery_class[found] == query_class[:, None]
    classes, counts = np.unique(gallery_class, return_counts=True)
    at = np.minimum(np.searchsorted(classes, query_class), len(classes) - 1)
    relevant = np.where(classes[at] == query_class, counts[at], 0)
    if found.shape[1] < min(max(*ks, relevant.max(initial=0)), len(gallery_class)):
        raise ValueError(
            f"{found.shape[1]} neighbours, a class has {relevant.max()} images"
        )
    rank = np.arange(1, found.shape[1] + 1)
    precision = hit.cumsum(1) / rank * hit * (rank <= relevant[:, None])
    return {
        "map@r": float((precision.sum(1) / np.maximum(relevant, 1)).mean()),
        **{f"recall@{k}": float(hit[:, :k].any(1).mean()) for k in ks},
        "answerable": float((relevant > 0).mean()),
    }


def most_relevant(query_class: np.ndarray, gallery_class: np.ndarray) -> int:
    """Returns the largest number of gallery images of any query's class."""
    counts = np.bincount(gallery_class, minlength=query_class.max(initial=0) + 1)
    return int(counts[query_class].max(initial=0))
