"""What `cluster_users` does, user by user in plain NumPy."""

from __future__ import annotations

import numpy as np

from recjax.users.dendrogram import cut
from recjax.users.importance import importance
from recjax.users.medoids import centroids, medoids
from recjax.users.settings import Settings, UserClusters
from recjax.users.ward_reference import NOT_FINITE, ward_reference


def cluster_users_reference(
    points: np.ndarray, offsets: np.ndarray, age: np.ndarray, settings: Settings
) -> UserClusters:
    """Returns the clusters of each user's points; see `cluster_users`."""
    parts: list[tuple] = []
    for user, (begin, end) in enumerate(zip(offsets[:-1], offsets[1:], strict=True)):
        own = points[begin:end]
        if not np.isfinite((own.astype(np.float64) ** 2).sum()):
            raise ValueError(f"user {user}: {NOT_FINITE}")
        label = np.zeros(0, np.int32)
        if len(own):
            label = cut(ward_reference(own), settings.alpha, settings.cap)
        weight = importance(label, age[begin:end], settings.decay)
        size = np.bincount(label).astype(np.int32)
        medoid = medoids(own, label).astype(np.int32)
        center = centroids(own, label).astype(np.float32)
        parts.append((label, medoid, size, weight, center))
    starts = np.cumsum([0, *(len(part[1]) for part in parts)])
    empty = [np.zeros(0, np.int32)] * 3 + [np.zeros(0), points[:0]]
    columns = zip(empty, *parts, strict=True)
    label, *rest = (np.concatenate(column) for column in columns)
    return UserClusters(label, starts, *rest)
