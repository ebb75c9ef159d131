"""Times Ward's clustering beside every other, and users a second end to end.

    python tools/bench_users.py

One thread, the least CPU time of several repeats; the repeats of all that is compared
take turns, so that a busy machine slows all of them. The floor is the product of the
points with themselves by BLAS: every method needs it, or the same by slower means. Ours
is timed from raw points to the full dendrogram in SciPy's order and format.
The last line of output is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from recjax.users.cluster import cluster_users
from recjax.users.dendrogram import linkage
from recjax.users.settings import Settings
from recjax.users.ward import ward

SHAPES = (
    *((50, 64), (200, 64), (500, 64), (1000, 64)),
    *((50, 256), (200, 256), (500, 256), (1000, 256)),
)


def some_points(m: int, d: int, rng: np.random.Generator) -> np.ndarray:
    """Returns unit vectors: 10 clusters of unequal size with noise of 0.7."""
    centers = rng.standard_normal((10, d))
    centers /= np.linalg.norm(centers, axis=1, keepdims=True)
    chosen = rng.choice(10, m, p=rng.dirichlet(np.ones(10)))
    points = centers[chosen] + 0.7 * rng.standard_normal((m, d)) / np.sqrt(d)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points.astype(np.float32)


def methods() -> dict:
    """Returns what is compared: name -> points to a full dendrogram."""
    try:
        import fastcluster
        from sklearn.cluster import AgglomerativeClustering
    except ImportError as error:
        sys.exit(f"{error}: pip install 'recjax[bench]'")

    def by_fastcluster(points: np.ndarray) -> np.ndarray:
        """Returns fastcluster's linkage from distances that BLAS made."""
        products = points @ points.T
        lengths = products.diagonal()
        square = np.maximum(lengths[:, None] + lengths - 2 * products, 0)
        np.fill_diagonal(square, 0)
        apart = np.sqrt(squareform(square, checks=False).astype(np.float64))
        return fastcluster.linkage(apart, "ward", preserve_input=False)

    def by_sklearn(points: np.ndarray) -> np.ndarray:
        """Returns scikit-learn's merges."""
        model = AgglomerativeClustering(n_clusters=1, linkage="ward")
        return model.fit(points).children_

    return {
        "gram": lambda x: x @ x.T,
        "recjax": lambda x: linkage(ward(x)),
        "scipy": lambda x: hierarchy.linkage(x, "ward"),
        "fastcluster": by_fastcluster,
        "sklearn": by_sklearn,
    }


def best_times(ways: dict, points: np.ndarray, seconds: float) -> dict[str, float]:
    """Returns each method's least CPU time in ms, over rounds of all methods."""
    best = dict.fromkeys(ways, np.inf)
    for method in ways.values():
        method(points)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for name, method in ways.items():
            repeats = 1 if name in ("scipy", "sklearn") else 3
            for _ in range(repeats):
                start = time.process_time_ns()
                method(points)
                spent = time.process_time_ns() - start
                best[name] = min(best[name], spent / 1e6)
    return best


def users_a_second(
    m: int, d: int, seconds: float, threads: int = 1, work: float = 4e6
) -> tuple:
    """Returns users per CPU second and per second of the clock, from points to all."""
    rng = np.random.default_rng(0)
    users = max(int(work / m**2), 16)
    points = np.concatenate([some_points(m, d, rng) for _ in range(users)])
    offsets = np.arange(users + 1) * m
    age = rng.uniform(0, 90, len(points))
    rates = []
    until = time.monotonic() + seconds
    while time.monotonic() < until or len(rates) < 3:
        wall, cpu = time.perf_counter(), time.process_time()
        cluster_users(points, offsets, age, Settings(alpha=2.0), threads)
        spent = time.process_time() - cpu, time.perf_counter() - wall
        rates.append([users / part for part in spent])
    return tuple(np.max(rates, 0).tolist())


def two_threads(seconds: float) -> dict[str, float]:
    """Returns how much more two threads do than one, taking turns.

    By the clock, which needs two idle cores; and by CPU time: what the clock would say
    had neither thread waited for its core.
    """
    one, two = np.zeros(2), np.zeros(2)
    for _ in range(4):
        one = np.maximum(one, users_a_second(200, 64, seconds / 2, 1, 4e7))
        two = np.maximum(two, users_a_second(200, 64, seconds / 2, 2, 4e7))
    return {
        "cores": len(os.sched_getaffinity(0)),
        "x_wall": round(float(two[1] / one[1]), 2),
        "x_cpu": round(float(2 * two[0] / one[0]), 2),
    }


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--seconds", type=float, default=4, help="of the clock, for each row"
    )
    parser.add_argument(
        "--threads-only", action="store_true", help="two threads against one, alone"
    )
    chosen = parser.parse_args()
    seconds = chosen.seconds
    if chosen.threads_only:
        print(json.dumps({"two_threads": two_threads(seconds)}))
        return
    ways = methods()
    rng = np.random.default_rng(0)
    print("ms of CPU time, full dendrogram; FLOPs of the floor: m (m + 1) d")
    print(f"{'m':>5} {'d':>4} " + " ".join(f"{name:>17}" for name in ways))
    ratios = {}
    for m, d in SHAPES:
        times = best_times(ways, some_points(m, d, rng), seconds)
        row = " ".join(f"{value:17.4f}" for value in times.values())
        print(f"{m:5} {d:4} {row}", flush=True)
        ratios[f"m{m}_d{d}"] = {
            "x_gram": round(times["recjax"] / times["gram"], 3),
            "x_scipy_raw": round(times["scipy"] / times["recjax"], 2),
            "x_fastcluster": round(times["fastcluster"] / times["recjax"], 2),
            "x_sklearn": round(times["sklearn"] / times["recjax"], 2),
        }
    rates = {}
    print("users a second: product, tree, cut, medoids, importance; 1 thread, CPU")
    for m, d in ((50, 64), (200, 64), (500, 64), (50, 256), (200, 256), (500, 256)):
        rates[f"m{m}_d{d}"] = round(users_a_second(m, d, seconds)[0])
        print(f"{m:5} {d:4} {rates[f'm{m}_d{d}']:10,}", flush=True)
    scaling = two_threads(seconds)
    print(f"two threads: {scaling} (x_cpu: if neither had waited for a core)")
    print(
        json.dumps({"ward": ratios, "users_per_core_s": rates, "two_threads": scaling})
    )


if __name__ == "__main__":
    main()
