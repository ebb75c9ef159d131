"""From points to clusters of many users in one compiled call, without the GIL.

numba keys what it keeps on disk by the file of the function that was called. After a
change in the other kernels, touch this file too, or the old code stays compiled in.
"""

from __future__ import annotations

import numpy as np

from recjax.extras import compiled
from recjax.users.kernels.compiled import forget_stale
from recjax.users.kernels.distances import (
    FAST,
    SUMS,
    fill_float32,
    fill_float64,
    padded,
    squared_length,
    stride,
)
from recjax.users.kernels.ward import chain
from recjax.users.ward_reference import SAME, SAME_LENGTH


@compiled(**FAST)
def grow(points, memory, near_height, child, parent, height):
    """Writes the tree of one user's points, see `ward_kernels.chain`.

    Returns whether it did: not if a number is not finite, or too large for float32.
    """
    m = len(points)
    lengths = np.zeros(padded(m), np.float32)
    total = 0.0
    for i in range(m):
        lengths[i] = squared_length(points[i])
        total += lengths[i]
    if not np.isfinite(total):
        return False
    scale = np.float64(lengths.max())
    sizes = np.ones(m)
    shape = padded(m), stride(m)
    fill_float32(points, lengths, memory[: shape[0] * shape[1]].reshape(shape))
    bits = memory.view(np.int32)
    if chain(
        points, sizes, memory, bits, scale, False, near_height, child, parent, height
    ):
        return True
    double = np.empty(m * stride(m))
    fill_float64(points, double.reshape((m, stride(m))))
    bits = double.view(np.int64)
    chain(points, sizes, double, bits, scale, True, near_height, child, parent, height)
    return True


@compiled(**FAST)
def grow_weighted(points, sizes, near_height, child, parent, height):
    """Writes the tree of clusters by centroids [m, D] and sizes [m], in float64.

    Returns whether it did, as `grow`.
    """
    m = len(points)
    total = 0.0
    for i in range(m):
        total += squared_length(points[i])
    if not np.isfinite(total):
        return False
    double = np.empty(m * stride(m))
    square = double.reshape((m, stride(m)))
    fill_float64(points, square)
    scale = 0.0
    for i in range(m):
        scale = max(scale, squared_length(points[i]))
        for j in range(m):
            if i != j:
                square[i, j] *= 2 * sizes[i] * sizes[j] / (sizes[i] + sizes[j])
    bits = double.view(np.int64)
    chain(points, sizes, double, bits, scale, True, near_height, child, parent, height)
    return True


@compiled(**FAST)
def _label(child, parent, height, alpha, cap, label):
    """Writes each point's cluster, as `tree.cut` does; returns how many there are."""
    m = len(label)
    clusters = m
    for i in range(m - 1):
        clusters -= height[i] <= alpha
    above = np.arange(m)
    if clusters > cap:
        order = np.argsort(height, kind="mergesort")
        for i in order[: m - cap]:
            above[child[i]] = parent[i]
    else:
        for i in range(m - 1):
            if height[i] <= alpha:
                above[child[i]] = parent[i]
    for i in range(m - 1, -1, -1):
        above[i] = above[above[i]]
    number = np.full(m, -1)
    clusters = 0
    for i in range(m):
        if number[above[i]] < 0:
            number[above[i]] = clusters
            clusters += 1
        label[i] = number[above[i]]
    return clusters


@compiled(**SUMS)
def _add(point, total):
    for j in range(len(total)):
        total[j] += np.float64(point[j])


@compiled(**SUMS)
def _far(point, center):
    total = 0.0
    for j in range(len(center)):
        difference = np.float64(point[j]) - center[j]
        total += difference * difference
    return total


@compiled(**FAST)
def _medoids(points, label, clusters, centers, medoid, size):
    """Writes the medoid of each cluster: the point nearest its mean, the later of two.

    The sum of squared distances to all members is least there: it is the squared
    distance to the mean, times their number, and a constant (paper, equation 2).
    """
    m = len(points)
    centers[:clusters] = 0
    size[:clusters] = 0
    for i in range(m):
        _add(points[i], centers[label[i]])
        size[label[i]] += 1
    least = np.full(clusters, np.inf)
    far = np.empty(m)
    slack = 0.0
    for c in range(clusters):
        centers[c] /= size[c]
        slack = max(slack, SAME_LENGTH * squared_length(centers[c]))
    for i in range(m):
        far[i] = _far(points[i], centers[label[i]])
        least[label[i]] = min(least[label[i]], far[i])
    for i in range(m):
        if far[i] <= least[label[i]] * (1 + SAME) + slack:
            medoid[label[i]] = i


@compiled(**FAST)
def cluster_range(
    points, offsets, begin, end, age, alpha, cap, decay, memory, work, outputs
):
    """Clusters the users from `begin` to `end`.

    Args:
      points: float32 [T, D], those of all users.
      offsets: int64 [U + 1], where each user's points begin.
      begin: first user.
      end: the one after the last.
      age: float64 [T], in days.
      alpha: see `tree.cut`.
      cap: see `tree.cut`.
      decay: see `importance`.
      memory: float32, at least padded(m) * stride(m) for the largest m.
      work: float64 [largest m, D].
      outputs: arrays [T] label, medoid, size, importance, [T, D] center and [U]
        clusters; user u's clusters stand from offsets[u] on.
    """
    label, medoid, size, importance, center, clusters = outputs
    for user in range(begin, end):
        a, b = offsets[user], offsets[user + 1]
        m = b - a
        if m == 0:
            clusters[user] = 0
            continue
        own = points[a:b]
        child, parent = np.empty(m - 1, np.int32), np.empty(m - 1, np.int32)
        height = np.empty(m - 1)
        if m == 1 and not np.isfinite(squared_length(own[0])):
            return user
        if m > 1 and not grow(own, memory, alpha, child, parent, height):
            return user
        count = _label(child, parent, height, alpha, cap, label[a:b])
        clusters[user] = count
        _medoids(own, label[a:b], count, work, medoid[a:b], size[a:b])
        center[a : a + count] = work[:count]
        importance[a : a + count] = 0
        for i in range(m):
            importance[a + label[a + i]] += np.exp(-decay * age[a + i])
    return -1


forget_stale(grow)
