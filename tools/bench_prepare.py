"""Preparing logs of events beside what Polars needs to sort them: time and memory.

    taskset -c 0 nice python tools/bench_prepare.py --events 2000000 20000000

The floor reads the same files, sorts them by user and time and writes them in their own
format, on one thread. Each row is a process of its own, whose imports do not count for
seconds but do for memory. `workers` prepares in two processes more: their seconds count
with imports, memory is that of the first. `open` is what training needs until its first
batch, `bad row` a CSV whose last line is bad. The last line is JSON.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["POLARS_MAX_THREADS"] = "1"

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402

PART = 2_000_000
"""Events of a file of Parquet, and of a slice that is made."""
COLUMNS = ["user", "item", "timestamp", "action", "price"]
DAYS = 60


def invent(events: int, kind: str, folder: Path) -> Path:
    """Writes a shop's log in the order of time: Parquet parts, or one CSV."""
    path = folder / f"events_{events}{'' if kind == 'parquet' else '.csv'}"
    if kind == "parquet":
        path.mkdir()
    users, items = max(events // 20, 1), max(events // 200, 1)
    actions = pl.Series(["view", "view", "view", "cart", "buy"])
    for start in range(0, events, PART):
        random, n = np.random.default_rng(start), min(PART, events - start)
        user = random.integers(0, users, n)
        item = (items * random.random(n) ** 3).astype(np.int64)
        time_ = 1_700_000_000 + (start + np.arange(n)) * (DAYS * 86_400) // events
        frame = pl.DataFrame({"u": user, "i": item, "timestamp": time_}).select(
            user=pl.format("u{}", pl.col("u").cast(pl.String).str.zfill(8)),
            item=pl.format("i{}", pl.col("i").cast(pl.String).str.zfill(7)),
            timestamp="timestamp",
            action=actions.gather(random.integers(0, len(actions), n)),
            price=pl.Series(np.round(random.gamma(2.0, 20.0, n), 2)),
        )
        if kind == "parquet":
            frame.write_parquet(path / f"{start // PART:05d}.parquet")
        else:
            with open(path, "ab") as file:
                frame.write_csv(file, include_header=not start)
    return path


def floor(path: Path, out: Path) -> None:
    """Reads, sorts and writes with Polars alone."""
    key = ["user", "timestamp"]
    if path.suffix == ".csv":
        pl.read_csv(path).sort(key).write_csv(out / "sorted.csv")
    else:
        pl.read_parquet(path).sort(key).write_parquet(out / "sorted.parquet")


def prepare(path: Path, out: Path) -> None:
    """Prepares the events."""
    from recjax.prepare.options import Files
    from recjax.prepare.prepare import prepare

    prepare(Files(events=path), out / "prepared")


def workers(path: Path, out: Path) -> None:
    """Prepares the parts of the events in two processes."""
    from recjax.jobs import processes
    from recjax.prepare.options import Files
    from recjax.prepare.prepare import prepare

    prepare(Files(events=path), out / "prepared", each=processes(2))


def bad_row(path: Path, out: Path) -> None:
    """Prepares a file whose last row has no time, without that row."""
    from recjax.prepare.options import Files, How
    from recjax.prepare.prepare import prepare

    with open(path, "ab") as file:
        file.write(b"u00000001,i0000001,yesterday,view,1\n")
    try:
        prepare(Files(events=path), out / "prepared", How(on_bad_row="skip"))
    finally:
        lines = path.stat().st_size - len(b"u00000001,i0000001,yesterday,view,1\n")
        os.truncate(path, lines)


def first_batch(path: Path, out: Path) -> None:
    """Opens what was prepared and makes a batch of histories."""
    from recjax.data.next_item import NextItem

    NextItem(str(path), batch_size=512, text_share=0.0).open(0).batch(0)


JOBS = {
    **{"floor": floor, "workers": workers, "prepare": prepare},
    **{"open": first_batch, "bad row": bad_row},
}
ONLY = {"workers": "parquet", "bad row": "csv"}


def child(job: str, path: str, out: str) -> None:
    """Does one job; prints its seconds and memory as JSON."""
    import recjax.data.next_item
    import recjax.prepare.prepare  # noqa: F401

    before, cpu, wall = _memory()["VmRSS"], _cpu(), time.perf_counter()
    JOBS[job](Path(path), Path(out))
    found = {"cpu_s": _cpu() - cpu, "s": time.perf_counter() - wall}
    told = _memory()
    held = {"peak": told["VmHWM"], "imports": before, "private": told["RssAnon"]}
    print(json.dumps(found | held))


def _cpu() -> float:
    """Returns the seconds of this process, and of those that it started."""
    who = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    used = [resource.getrusage(one) for one in who]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _memory() -> dict[str, int]:
    lines = Path("/proc/self/status").read_text().splitlines()
    return {
        line.split(":")[0]: int(line.split()[1]) * 1024
        for line in lines
        if line.startswith(("VmHWM", "VmRSS", "RssAnon"))
    }


def run(job: str, path: Path, out: Path) -> dict[str, float]:
    """Returns what a job took, in a process of its own."""
    out.mkdir(exist_ok=True)
    words = [sys.executable, __file__, "--child", job, str(path), str(out)]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(events: int, kind: str, folder: Path, jobs: list[str]) -> list[dict]:
    """Returns a row for each job on one file."""
    path, rows = invent(events, kind, folder), []
    for job in jobs:
        out = folder / "out"
        at = out / "prepared" if job == "open" else path
        found = run(job, at, out)
        rows.append({"events": events, "kind": kind, "job": job, **found})
        row = rows[-1]
        each = (row["peak"] - row["imports"]) / events
        print(
            f"{events:12,} {kind:8} {job:8} {row['cpu_s']:8.1f} {row['s']:8.1f} "
            f"{row['peak'] / 1e9:7.2f} {each:11.0f}",
            flush=True,
        )
        if job != "prepare":
            shutil.rmtree(out)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    return rows


def main() -> None:
    """Prints a table, and JSON in the last line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, nargs="+", default=[2_000_000])
    parser.add_argument("--kinds", nargs="+", default=["parquet", "csv"])
    parser.add_argument("--jobs", nargs="+", choices=list(JOBS), default=list(JOBS))
    parser.add_argument("--folder", help="where files are for as long as this runs")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*options.child)
        return
    print(
        f"{'events':>12} {'from':8} {'job':8} {'CPU s':>8} {'s':>8} {'peak GB':>7} "
        f"{'bytes/event':>11}"
    )
    rows = []
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for events in options.events:
            for kind in options.kinds:
                jobs = [job for job in options.jobs if ONLY.get(job, kind) == kind]
                rows += measure(events, kind, Path(folder), jobs)
    print(json.dumps({"rows": rows}))


if __name__ == "__main__":
    main()
