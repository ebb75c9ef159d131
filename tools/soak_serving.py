"""Keeps a server under three times the load that it can take, while things go wrong.

    python tools/soak_serving.py [--seconds 600]

Two workers of made-up products on one core; `wrk` asks from the others. Meanwhile a new
version comes, then a damaged one, then a worker is killed. Clients of its own look at
every answer that they get: it must be one version's, whole. Each bound stands beside
what was measured; the last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench_serving import (
    CONNECTIONS,
    PATH,
    QUEUE,
    K,
    asked,
    made_up,
    overload,
    write_bodies,
)
from serving_probe import Probe, Seen
from serving_process import Server

from recjax.bundle.contract import SERVING
from recjax.bundle.open import open_bundle
from recjax.bundle.served import signatures
from recjax.errors import told

WORKERS = 2
TEXTS = 200
"""Questions of which the right answers are known."""
BEFORE = 10.0
"""Seconds of each measurement without overload."""


def main() -> int:
    """Measures, and returns 1 where a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600.0, help="of overload")
    parser.add_argument("--bundles", type=Path, help="keep the made-up bundles here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, told():
        made = options.bundles or Path(folder) / "made"
        for version in (1, 2):
            if not (made / str(version)).is_dir():
                made_up(made / str(version), version)
        found = soak(made, Path(folder), options.seconds)
    for name, (value, least, most) in found.items():
        held = "holds" if least <= value <= most else "MISSED"
        print(f"{name}: {value:g} (wanted {least:g} to {most:g}): {held}")
    print(json.dumps({name: value for name, (value, *_) in found.items()}))
    return any(not least <= value <= most for value, least, most in found.values())


def soak(made: Path, folder: Path, seconds: float) -> dict[str, tuple]:
    """Returns name -> (what was measured, the least and the most that is wanted)."""
    texts = list(open_bundle(made / "1").items.titles[:20_000])
    right = [answers(made / version, texts[:TEXTS]) for version in "12"]
    bodies, models = folder / "bodies", folder / "products"
    write_bodies(bodies, texts)
    models.mkdir()
    shutil.copytree(made / "1", models / "1")
    shutil.copytree(made / "2", folder / "next")
    shutil.copytree(made / "2", folder / "damaged")
    os.truncate(folder / "damaged" / "vectors.npy", 9_999_999)
    options = "--cache-mb", "0", "--queue", str(QUEUE // WORKERS), "--poll-s", "1"
    options += "--workers", str(WORKERS), "--connections", str(CONNECTIONS)
    served = Server(f"products={models}", *options)
    with served as server:
        ready(server, WORKERS)
        peak = asked(server, bodies, QUEUE, BEFORE)
        memory = workers_memory(server)
        changes = Changes(server, folder, seconds)
        with Probe(server.port, PATH, texts[:TEXTS], K, 8) as probe:
            changes.thread.start()
            load = overload(server, bodies, peak["per_second"], seconds, probe)
            ended = time.monotonic()
            changes.thread.join()
            time.sleep(4)
        grown = workers_memory(server) / memory
    return judged(peak, load, grown, probe, ended, changes, right)


class Changes:
    """What goes wrong, at some shares of the time.

    Attributes:
      at: what happened -> when.
    """

    def __init__(self, server: Server, folder: Path, seconds: float) -> None:
        self._server, self._folder, self._seconds = server, folder, seconds
        self.at: dict[str, float] = {}
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        start = time.monotonic()
        versions = self._folder / "products"
        for share, name, change in (
            (0.1, "swap", lambda: (self._folder / "next").rename(versions / "2")),
            (0.5, "damaged", lambda: (self._folder / "damaged").rename(versions / "3")),
            (0.8, "killed", self._kill),
        ):
            time.sleep(max(start + share * self._seconds - time.monotonic(), 0))
            self.at[name] = time.monotonic()
            change()
            if name != "killed":
                said = '"available"' if name == "swap" else '"refused"'
                until(lambda said=said: self._count(said) >= WORKERS, self._seconds / 3)
                self.at[f"{name}_over"] = time.monotonic()

    def _count(self, said: str) -> int:
        return sum(said in line for line in self._server.lines)

    def _kill(self) -> None:
        os.kill(workers(self._server)[0], signal.SIGKILL)


def judged(
    peak: dict[str, Any],
    load: dict[str, Any],
    grown: float,
    probe: Probe,
    ended: float,
    changes: Changes,
    right: list[dict[str, tuple[str, ...]]],
) -> dict[str, tuple]:
    """Returns what was measured beside what is wanted."""
    at, inf = changes.at, float("inf")
    swaps = [(at[n], at.get(f"{n}_over", ended)) for n in ("swap", "damaged")]
    seen = [one for one in probe.seen if one.asked < ended]
    quiet = [one for one in seen if not any(a <= one.asked < b for a, b in swaps)]
    during = [one for one in seen if any(a <= one.asked < b for a, b in swaps)]
    wrong = [
        one
        for one in probe.seen
        if one.status == 200 and all(one.ids != each[one.text] for each in right)
    ]
    lost = [one for one in probe.seen if one.status == 0]
    near = [one for one in lost if -1 < one.asked + one.seconds - at["killed"] < 5]
    after = probe.told(ended + 2)
    for one in lost:
        late = one.asked + one.seconds - at["killed"]
        took = f"after {one.seconds:.2f} s"
        print(f"lost {late:+.1f} s from the kill, {took}: {one.fault}")
    return {
        "peak_per_second": (peak["per_second"], 0, inf),
        # By the clock: the CPU time of a worker that is killed is lost with it.
        "served_of_peak": (load["per_second"] / peak["per_second"], 0.9, inf),
        "offered_to_peak": (load["offered_to_sustained"], 2.5, inf),
        "refused": (load["refused"], 1, inf),
        "late_of_wrk": (load["late"], 0, 0),
        "accepted": (len(during) + len(quiet), 1, inf),
        "accepted_p99_ms": (p99(quiet), 0, 100),
        "p99_during_swaps_to_else": (p99(during) / p99(quiet), 0, 3),
        "swap_seconds": (swaps[0][1] - swaps[0][0], 0, inf),
        "memory_to_before": (grown, 0, 1.05),
        "wrong_or_mixed_answers": (len(wrong), 0, 0),
        "lost_but_by_the_kill": (len(lost) - len(near), 0, 0),
        "lost_by_the_kill": (len(near), 0, 8),
        "p99_ms_2_s_after": (after["accepted_p99_ms"], 0, 100),
        "not_answered_2_s_after": (
            sum(n for s, n in after["probe_statuses"].items() if s != 200),
            *(0, 0),
        ),
    }


def p99(seen: list[Seen]) -> float:
    """Returns milliseconds of what was answered."""
    took = sorted(1e3 * one.seconds for one in seen if one.status == 200)
    return took[int(0.99 * len(took))] if took else float("nan")


def answers(bundle: Path, texts: list[str]) -> dict[str, tuple[str, ...]]:
    """Returns the right answer to each text."""
    ask = signatures(open_bundle(bundle))[SERVING].ask
    found = ask({"text": texts, "k": [K] * len(texts)})["ids"]
    return dict(zip(texts, map(tuple, found), strict=True))


def workers(server: Server) -> list[int]:
    """Returns the processes that answer."""
    lines = [json.loads(line) for line in server.lines if '"ready"' in line]
    alive = set(server.processes())
    return [one["process"] for one in lines if one["process"] in alive]


def workers_memory(server: Server) -> float:
    """Returns the bytes that a worker holds, in the mean."""
    held = [server.memory(one) for one in workers(server)]
    return sum(held) / len(held)


def ready(server: Server, count: int) -> None:
    """Waits until so many workers are."""
    until(lambda: len(workers(server)) >= count, 300)


def until(holds: Callable[[], bool], seconds: float) -> None:
    """Waits until something holds, or no longer than some seconds."""
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
