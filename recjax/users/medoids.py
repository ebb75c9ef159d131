"""The point that stands for a cluster."""

from __future__ import annotations

import numpy as np

from recjax.users.ward_reference import SAME, SAME_LENGTH


def centroids(points: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Returns the mean of each cluster: float64 [C, D].

    Args:
      points: [m, D].
      label: cluster of each point, [m], from 0 to C - 1, none of them empty.
    """
    total = np.zeros((label.max(initial=-1) + 1, points.shape[1]))
    np.add.at(total, label, points.astype(np.float64))
    return total / np.bincount(label)[:, None]


def medoids(points: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Returns the medoid of each cluster, as a place among the points: int64 [C].

    It has the least sum of squared distances to the cluster's points (paper, equation
    2). That sum is n times the squared distance to the mean plus a constant, so the
    point nearest the mean is the medoid, in O(m D). Of equals, the last.
    """
    if not len(label):
        return np.zeros(0, np.int64)
    center = centroids(points, label)
    far = ((points.astype(np.float64) - center[label]) ** 2).sum(1)
    least = np.full(len(center), np.inf)
    np.minimum.at(least, label, far)
    slack = SAME_LENGTH * (center**2).sum(1).max()
    found = np.zeros(len(center), np.int64)
    equals = np.flatnonzero(far <= least[label] * (1 + SAME) + slack)
    np.maximum.at(found, label[equals], equals)
    return found
