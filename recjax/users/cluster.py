"""Clusters of many users at once: what each one's interests are.

Paper: sections 3.2 (Ward), 3.3 (medoids), 3.4 (importance).
"""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np

from recjax.users.dendrogram import COMPILED
from recjax.users.settings import Settings, UserClusters
from recjax.users.ward import workspace
from recjax.users.ward_reference import NOT_FINITE

LIGHT = 1 << 18
"""Least work, in products of pairs and width, that is worth a thread of its own."""


def cluster_users(
    points: np.ndarray,
    offsets: np.ndarray,
    age: np.ndarray,
    settings: Settings,
    threads: int = 1,
) -> UserClusters:
    """Clusters the points of each user by Ward's rule.

    Args:
      points: finite float32 [T, D], one user's after the other's, oldest first.
      offsets: where each user's points begin, int64 [U + 1], from 0 to T.
      age: of each point, in days, float64 [T].
      settings: alpha, decay, cap.
      threads: how many work, each on some users. BLAS keeps to one thread meanwhile
        where threadpoolctl is installed; else set OMP_NUM_THREADS=1.

    Raises:
      ValueError: a user's points are not finite, or the arrays do not fit.
    """
    points = np.ascontiguousarray(points, np.float32)
    offsets = np.ascontiguousarray(offsets, np.int64)
    age = np.ascontiguousarray(age, np.float64)
    # Compiled code looks at no bounds.
    if points.ndim != 2 or age.shape != points.shape[:1] or offsets.ndim != 1:
        raise ValueError(
            f"points {points.shape}, offsets {offsets.shape}, age {age.shape}: give "
            "[T, D], [U + 1] and [T]"
        )
    bounds = [*offsets[:1], *offsets[-1:]]
    if bounds != [0, len(points)] or (np.diff(offsets) < 0).any():
        raise ValueError(
            f"offsets {offsets}: they must not fall, from 0 to {len(points)} points"
        )
    if not COMPILED:
        from recjax.users.cluster_reference import cluster_users_reference

        return cluster_users_reference(points, offsets, age, settings)
    total, users = len(points), len(offsets) - 1
    # Room for a cluster a point; memory that is not written to is none.
    outputs = (
        *(np.empty(total, np.int32) for _ in range(3)),
        np.empty(total),
        np.empty_like(points),
        np.zeros(users, np.int64),
    )
    ranges = _share_out(offsets, points.shape[1], threads)
    with _one_blas_thread():
        if len(ranges) == 1:
            _cluster(points, offsets, 0, users, age, settings, outputs)
        else:
            with ThreadPoolExecutor(threads) as pool:
                tasks = [
                    pool.submit(
                        _cluster, points, offsets, *part, age, settings, outputs
                    )
                    for part in ranges
                ]
                for task in tasks:
                    task.result()
    label, *columns, clusters = outputs
    starts = np.concatenate([[0], np.cumsum(clusters)])
    place = np.arange(starts[-1]) + np.repeat(offsets[:-1] - starts[:-1], clusters)
    return UserClusters(label, starts, *(column[place] for column in columns))


def _cluster(points, offsets, begin, end, age, settings, outputs) -> None:
    from recjax.users.kernels.users import cluster_range

    most = int(np.diff(offsets[begin : end + 1]).max(initial=0))
    wrong = cluster_range(
        points,
        offsets,
        begin,
        end,
        age,
        float(settings.alpha),
        settings.cap or np.iinfo(np.int64).max,
        float(settings.decay),
        workspace(most),
        np.empty((most, points.shape[1])),
        outputs,
    )
    if wrong >= 0:
        raise ValueError(f"user {wrong}: {NOT_FINITE}")


def _share_out(offsets: np.ndarray, width: int, threads: int) -> list[tuple[int, int]]:
    """Returns ranges of users of about equal work, some for each thread."""
    users = len(offsets) - 1
    sizes = np.diff(offsets).astype(np.float64)
    work = np.cumsum(sizes * (sizes + 20) * (width + 100))
    parts = threads * 8 if threads > 1 else 1
    if not users or work[-1] < LIGHT * parts:
        return [(0, users)]
    bounds = np.searchsorted(work, work[-1] * np.arange(1, parts) / parts) + 1
    bounds = np.unique([0, *np.minimum(bounds, users), users]).tolist()
    return list(zip(bounds[:-1], bounds[1:], strict=True))


@lru_cache(1)
def _blas():
    """Returns what sets the threads of BLAS, None where that is not installed."""
    # The library whose threads are meant is loaded with these; looking through the
    # libraries of the process takes longer than a user's clustering.

    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    return ThreadpoolController()


def _one_blas_thread():
    control = _blas()
    if control is None:
        return contextlib.nullcontext()
    return control.limit(limits=1, user_api="blas")
