"""Times the batch job of PinnerSage on invented users, and the online update.

    python tools/bench_user_job.py --users 20000

Writes events of so many users into files, builds their profiles by processes, and says
how many users a second and how much memory that took; then merges 20 actions into
profiles of 100 clusters. The last line of output is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import polars as pl

from recjax.users.build import build
from recjax.users.cluster import Settings
from recjax.users.profile import DAY, Profile, update
from recjax.users.shard import Job
from recjax.users.vectors import ItemVectors, write_vectors

NOW = 1_700_000_000.0
ITEMS, TOPICS, WIDTH = 20_000, 400, 64


def write_inputs(folder: Path, users: int, each: int) -> list[Path]:
    """Writes item vectors and files of events of 2,000 users; returns the files."""
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((TOPICS, WIDTH))
    topic = np.arange(ITEMS) % TOPICS
    vectors = centers[topic] + 0.5 * rng.standard_normal((ITEMS, WIDTH))
    write_vectors(folder / "vectors", range(ITEMS), [""] * ITEMS, vectors)
    files = []
    for begin in range(0, users, 2_000):
        count = min(2_000, users - begin)
        sizes = np.minimum(rng.geometric(1 / each, count), 1_000)
        user = np.repeat(np.arange(begin, begin + count), sizes)
        liked = rng.integers(0, TOPICS, (count, 6))
        chosen = liked[user - begin, rng.integers(0, 6, len(user))]
        item = chosen + TOPICS * rng.integers(0, ITEMS // TOPICS, len(user))
        when = NOW - rng.uniform(0, 90 * DAY, len(user))
        files.append(folder / f"events-{begin:09d}.parquet")
        columns = {"user": user, "item": item, "timestamp": when}
        pl.DataFrame(columns).write_parquet(files[-1])
    return files


def online(items: ItemVectors, rounds: int) -> dict[str, float]:
    """Returns ms of CPU time of an update at 100 clusters: p50 and p99."""
    rng = np.random.default_rng(1)
    rows = rng.permutation(TOPICS)[:100]
    profile = Profile(
        NOW,
        tuple(items.ids[row] for row in rows),
        rng.uniform(1, 9, 100),
        rng.integers(1, 30, 100).astype(np.int32),
        NOW - rng.uniform(0, DAY, 100),
        items.unit(rows),
    )
    times = []
    for _ in range(rounds):
        new = [str(item) for item in rng.integers(0, ITEMS, 20)]
        when = NOW + rng.uniform(1, 3600, 20)
        start = time.process_time_ns()
        update(profile, new, when, NOW + DAY, items, Settings())
        times.append((time.process_time_ns() - start) / 1e6)
    low, high = np.percentile(times[10:], [50, 99])
    return {"p50": round(float(low), 3), "p99": round(float(high), 3)}


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--each", type=int, default=60, help="actions, on average")
    parser.add_argument("--workers", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = write_inputs(folder, chosen.users, chosen.each)
        job = Job(NOW, Settings(alpha=1.0))
        build(files[:1], folder / "vectors", folder / "warm", job)
        cpu = time.process_time() + sum(os.times()[2:4])
        wall = time.perf_counter()
        done = build(files, folder / "vectors", folder / "out", job, chosen.workers)
        wall = time.perf_counter() - wall
        cpu = time.process_time() + sum(os.times()[2:4]) - cpu
        items = ItemVectors.open(folder / "vectors")
        latency = online(items, 500)
    peak = max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    found = {
        "users": done["counts"]["users"],
        "actions": done["counts"]["events"],
        "users_per_s": round(chosen.users / wall),
        "users_per_cpu_s": round(chosen.users / cpu),
        "core_hours_for_100m_users": round(1e8 / (chosen.users / cpu) / 3600, 1),
        "peak_mib_of_a_process": round(peak / 1024),
        "online_ms_at_100_clusters": latency,
    }
    for key, value in found.items():
        print(f"{key:>28}: {value}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
