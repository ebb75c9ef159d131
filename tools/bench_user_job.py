"""Times the batch job of PinnerSage on invented users, and the online update.

    python tools/bench_user_job.py --users 10000 100000 1000000 --workers 2 --kills 5

For each number of users: writes their events, runs `recjax users build` in a process of
its own, and says how many users a second that made, how much memory it took, and what
100 million would cost. The largest run is then done again, killed so many times at
random moments and begun again, and its files are compared with the first run's. Last,
20 actions are merged into profiles of 100 clusters. The last line of output is JSON.

Actions a user: log-normal, median 25, standard deviation of the logarithm 1, from 1 to
1,000. A user likes six of 400 topics; 64 numbers an item.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("POLARS_MAX_THREADS", "1")

import numpy as np
import polars as pl

from recjax.index.item_vectors import ItemVectors, write_vectors
from recjax.seconds import DAY
from recjax.users.profile import Profile, update
from recjax.users.settings import Settings

NOW = 1_700_000_000.0
ITEMS, TOPICS, WIDTH = 20_000, 400, 64
IN_FILE = 2_000
"""Users of a file of events."""


def write_items(folder: Path) -> None:
    """Writes item vectors around topics."""
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((TOPICS, WIDTH))
    topic = np.arange(ITEMS) % TOPICS
    vectors = centers[topic] + 0.5 * rng.standard_normal((ITEMS, WIDTH))
    write_vectors(folder, range(ITEMS), [""] * ITEMS, vectors)


def write_events(folder: Path, users: int) -> int:
    """Writes files of events; returns the number of events."""
    folder.mkdir()
    events = 0
    for begin in range(0, users, IN_FILE):
        rng = np.random.default_rng([1, begin])
        count = min(IN_FILE, users - begin)
        sizes = np.clip(rng.lognormal(np.log(25), 1.0, count).round(), 1, 1_000)
        user = np.repeat(np.arange(begin, begin + count), sizes.astype(int))
        liked = rng.integers(0, TOPICS, (count, 6))
        chosen = liked[user - begin, rng.integers(0, 6, len(user))]
        item = chosen + TOPICS * rng.integers(0, ITEMS // TOPICS, len(user))
        when = NOW - rng.uniform(0, 90 * DAY, len(user))
        columns = {"user": user, "item": item, "timestamp": when}
        pl.DataFrame(columns).write_parquet(folder / f"events-{begin:09d}.parquet")
        events += len(user)
    return events


def start(folder: Path, out: str, users: int, workers: int) -> subprocess.Popen:
    """Starts the batch job on the events of so many users."""
    files = sorted((folder / f"events{users}").glob("*.parquet"))
    command = [sys.executable, "-m", "recjax", "users", "build", *files]
    command += ["--vectors", folder / "vectors", "--out", folder / out]
    command += ["--now", int(NOW), "--workers", workers]
    log = (folder / "log").open("wb")
    return subprocess.Popen(
        list(map(str, command)), stdout=log, stderr=log, start_new_session=True
    )


def finish(process: subprocess.Popen, folder: Path) -> tuple[float, float]:
    """Waits; returns CPU seconds, and MiB of the largest of its processes."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit((folder / "log").read_text())
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def killed(folder: Path, users: int, workers: int, kills: int, about: float) -> list:
    """Does the job again, killed so many times; returns when, in seconds."""
    rng = np.random.default_rng()
    moments = []
    for moment in rng.uniform(0, 1.5 * about / kills, kills):
        process = start(folder, "killed", users, workers)
        time.sleep(moment)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            moments.append(round(float(moment), 1))
        process.wait()
    finish(start(folder, "killed", users, workers), folder)
    return moments


def digest(out: Path) -> tuple[int, str]:
    """Returns how many profiles there are, and a hash of all that was written."""
    content = hashlib.sha256()
    for file in sorted((out / "shards").glob("*.parquet")):
        content.update(file.name.encode() + file.read_bytes())
    base = sqlite3.connect(out / "profiles.sqlite")
    rows = 0
    for user, profile in base.execute("SELECT * FROM profiles ORDER BY user"):
        content.update(user.encode() + profile)
        rows += 1
    base.close()
    content.update((out / "manifest.json").read_bytes())
    return rows, content.hexdigest()


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
        begin = time.process_time_ns()
        update(profile, new, when, NOW + DAY, items, Settings())
        times.append((time.process_time_ns() - begin) / 1e6)
    low, high = np.percentile(times[10:], [50, 99])
    return {"p50": round(float(low), 3), "p99": round(float(high), 3)}


def measure(folder: Path, users: int, workers: int) -> dict:
    """Writes events of so many users and builds their profiles once."""
    events = write_events(folder / f"events{users}", users)
    wall = time.perf_counter()
    cpu, peak = finish(start(folder, f"out{users}", users, workers), folder)
    wall = time.perf_counter() - wall
    counts = json.loads((folder / f"out{users}/manifest.json").read_text())["counts"]
    assert counts["users"] == users and counts["events"] == events, counts
    return {
        "users": users,
        "actions": events,
        "users_per_s": round(users / wall),
        "users_per_cpu_s": round(users / cpu),
        "peak_mib_of_a_process": round(peak),
        "core_hours_for_100m_users": round(1e8 / users * cpu / 3600, 1),
        "wall_s": round(wall, 1),
    }


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--users", type=int, nargs="+", default=[10_000])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--kills", type=int, default=0, help="of the largest run")
    parser.add_argument("--folder", type=Path, help="for temporary files")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        write_items(folder / "vectors")
        # The first run of all compiles.
        write_events(folder / "events1", 1)
        finish(start(folder, "out1", 1, 1), folder)
        found = {"runs": []}
        for users in sorted(chosen.users):
            found["runs"].append(measure(folder, users, chosen.workers))
            print(found["runs"][-1], flush=True)
        if chosen.kills:
            last = found["runs"][-1]["wall_s"]
            moments = killed(folder, users, chosen.workers, chosen.kills, last)
            calm, other = digest(folder / f"out{users}"), digest(folder / "killed")
            found["killed_after_s"] = moments
            found["profiles"] = other[0]
            found["same_as_calm"] = calm == other
            print("killed after", moments, "s; same output:", calm == other)
        items = ItemVectors.open(folder / "vectors")
        found["online_ms_at_100_clusters"] = online(items, 2_000)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
