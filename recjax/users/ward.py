"""Ward's clustering of one user's points: compiled where numba is installed.

Units: heights and alpha are squared distances, as in the paper. SciPy, fastcluster and
scikit-learn report the square root: alpha = t**2.
"""

from __future__ import annotations

import threading
from functools import lru_cache

import numpy as np

from recjax.users.dendrogram import COMPILED, Tree
from recjax.users.kernels.layout import padded, stride
from recjax.users.ward_reference import NOT_FINITE, ward_reference

KEPT = 1 << 24
"""Largest memory, in numbers, that a thread keeps for its next user."""
_own = threading.local()


def ward(points: np.ndarray, near: float | None = None) -> Tree:
    """Returns all merges of points by Ward's rule, exactly as `ward_reference` would.

    O(m^2) time; memory 4 m^2 bytes (8 m^2 more where float32 is too coarse). Heights
    are within 1e-5 of float64's, those within 1e-5 of `near` exact.

    Args:
      points: [m, D], finite, m >= 1; taken as float32.
      near: the height at which the tree will be cut, where that is known.

    Raises:
      ValueError: there are no points, or one is not finite.
    """
    points = np.ascontiguousarray(points, np.float32)
    m = len(points)
    if m < 1:
        raise ValueError("no points")
    if not COMPILED or m < 2:
        return ward_reference(points)
    child, parent = np.empty((2, m - 1), np.int32)
    height = np.empty(m - 1)
    near = -1.0 if near is None else float(near)
    if not _kernels().grow(points, workspace(m), near, child, parent, height):
        raise ValueError(NOT_FINITE)
    return Tree(child, parent, height)


def ward_of_clusters(centers: np.ndarray, sizes: np.ndarray) -> Tree:
    """Returns the merges of clusters that exist already, each at least of one point.

    Args:
      centers: means of the clusters, [m, D].
      sizes: points in each, [m].
    """
    centers = np.ascontiguousarray(centers, np.float32)
    sizes = np.ascontiguousarray(sizes, np.float64)
    m = len(centers)
    if not COMPILED or m < 2:
        return ward_reference(centers, sizes)
    child, parent = np.empty((2, m - 1), np.int32)
    height = np.empty(m - 1)
    if not _kernels().grow_weighted(centers, sizes, -1.0, child, parent, height):
        raise ValueError(NOT_FINITE)
    return Tree(child, parent, height)


@lru_cache(1)
def _kernels():
    # Imported when first needed: the commands that only read profiles start sooner.
    from recjax.users.kernels import users as user_kernels

    return user_kernels


def workspace(m: int) -> np.ndarray:
    """Returns float32 memory for the distances of m points, this thread's own."""
    wanted = padded(m) * stride(m)
    memory = getattr(_own, "memory", None)
    if memory is None or len(memory) < wanted:
        # Fresh pages cost more than a small user's clustering: keep them.
        memory = np.empty(max(wanted, 1 << 20), np.float32)
        _own.memory = memory if wanted <= KEPT else None
    return memory
