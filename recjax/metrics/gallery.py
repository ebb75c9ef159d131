"""Figures of a search in a gallery, by the classes of what is found.

Recall@K: share of queries with an image of their class among the K nearest. MAP@R
(Musgrave et al. 2020): with R images of the class in the gallery, the mean over the R
nearest of the precision at each hit, 0 at each miss. Queries whose class is not in the
gallery cannot be answered; they count 0 and their share is told.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def class_figures(
    found: np.ndarray,
    query_class: np.ndarray,
    gallery_class: np.ndarray,
    ks: Sequence[int] = (1, 2, 4, 8),
) -> dict[str, np.ndarray]:
    """Returns map@r, recall@K and "answerable" of each query [Q].

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
        "map@r": precision.sum(1) / np.maximum(relevant, 1),
        **{f"recall@{k}": hit[:, :k].any(1) for k in ks},
        "answerable": relevant > 0,
    }


def most_relevant(query_class: np.ndarray, gallery_class: np.ndarray) -> int:
    """Returns the largest number of gallery images of any query's class."""
    counts = np.bincount(gallery_class, minlength=query_class.max(initial=0) + 1)
    return int(counts[query_class].max(initial=0))
