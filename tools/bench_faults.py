"""Kills, stops and breaks one of two processes that train; says what became of the run.

    python tools/bench_faults.py --kills 20

Trains a small experiment twice by `recjax launch`, on two processes of this machine:
once without a break, once with so many SIGKILLs of the worker, of the coordinator and
of both, half of them while a checkpoint is written, each followed by the same command.
Every array must be the same bit by bit, no process may outlive its peer by more than
heartbeat + 10 s, and the last line must name host and cause. Then a process is asked to
stop inside a save and while it compiles, stopped, stuck in Python, and given bad input.
Prints a line a fault, and JSON in the last one; exit status 1 where something does not
hold.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SUPPORT = ROOT / "tests" / "support"
HEARTBEAT, STALL, SLACK = 10, 20, 10
EACH = 150
"""Steps of the run for each kill."""
VICTIMS = {"worker": (1,), "coordinator": (0,), "both": (0, 1)}


class Run:
    """One `recjax launch` that is being watched."""

    def __init__(self, workdir: Path, steps: int, experiment: Path, *more: str) -> None:
        """Starts it."""
        self.workdir = workdir
        settings = ("log_every=4", "checkpoint_every=20", f"heartbeat_s={HEARTBEAT}")
        told = ["launch", experiment, "--workdir", workdir, "-n", 2, "--devices", 1]
        told += [part for one in settings for part in ("--set-runtime", one)]
        told += ["--set", f"steps={steps}", *more]
        paths = os.pathsep.join((str(ROOT), str(SUPPORT)))
        quiet = {"JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}
        # Compiled once for all, and quickly.
        quiet |= {"JAX_COMPILATION_CACHE_DIR": str(workdir.parent / "cache")}
        quiet |= {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
        quiet |= {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
        self._log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "recjax", *map(str, told)],
            env={**os.environ, **quiet, "PYTHONPATH": paths},
            stdout=self._log,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def hosts(self) -> dict[int, int]:
        """Returns host -> process id of those that live."""
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                status = (path / "status").read_text()
                known = (path / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            number = re.search(r"RECJAX_PROCESS=(\d+)", known)
            if f"PPid:\t{self.process.pid}\n" in status and number:
                found[int(number[1])] = int(path.name)
        return found

    def until(self, ready: Callable[[], bool], seconds: float = 300) -> bool:
        """Waits; returns whether it is ready before the run ends."""
        until = time.monotonic() + seconds
        while not ready() and self.process.poll() is None:
            if time.monotonic() > until:
                raise SystemExit(f"nothing happens:\n{self.said()[-3000:]}")
            time.sleep(0.002)
        return self.process.poll() is None

    def newest(self) -> int:
        """Returns the newest step in the log of figures."""
        path = self.workdir / "metrics.jsonl"
        steps = re.findall(r'"step": (\d+)', path.read_text() if path.exists() else "")
        return int(steps[-1]) if steps else 0

    def saving(self) -> bool:
        """Returns whether a checkpoint is being written."""
        return any((self.workdir / "checkpoints").glob("*checkpoint-tmp*"))

    def said(self) -> str:
        """Returns what was printed so far."""
        self._log.seek(0)
        return self._log.read()

    def end(self, seconds: float) -> float:
        """Waits for the end; returns the seconds it took."""
        began = time.monotonic()
        self.process.wait(seconds)
        return time.monotonic() - began

    def line(self) -> str:
        """Returns the last line."""
        return self.said().strip().splitlines()[-1]


def kill(run: Run, victim: str, in_save: bool, dice: random.Random) -> dict:
    """Kills processes of a run at a random moment, and looks at how it ends."""
    goal = run.newest() + dice.randrange(20, EACH - 50)
    alive = run.until(lambda: run.newest() >= goal)
    alive = alive and (not in_save or run.until(run.saving))
    assert alive, run.said()[-3000:]
    hosts, at = run.hosts(), run.newest()
    for host in VICTIMS[victim]:
        os.kill(hosts[host], signal.SIGKILL)
    seconds = run.end(HEARTBEAT + SLACK + 60)
    named = any(
        f"host {host}: killed by SIGKILL" in run.line() for host in VICTIMS[victim]
    )
    held = seconds <= HEARTBEAT + SLACK and named and not _living(hosts)
    return {
        **{"fault": f"SIGKILL of {victim}", "step": at, "in_save": in_save},
        **{"seconds": round(seconds, 1), "line": run.line(), "holds": held},
    }


def asked(folder: Path, experiment: Path, inside: str) -> dict:
    """Sends SIGTERM to one process inside a save, or before the first step is done."""
    run = Run(folder / f"asked_{inside}", 100_000, experiment)
    compiling = (run.workdir / "checkpoints").exists
    run.until(run.saving if inside == "save" else compiling)
    os.kill(run.hosts()[1], signal.SIGTERM)
    seconds = run.end(300)
    steps = re.findall(r"SIGTERM: saved step (\d+)", run.said())
    held = run.process.returncode == 75 and len(steps) == 2 and len(set(steps)) == 1
    held = held and (run.workdir / "checkpoints" / steps[0]).is_dir()
    return _told(f"SIGTERM inside a {inside}", run, seconds, held)


def stopped(folder: Path, experiment: Path) -> dict:
    """Stops a process with SIGSTOP, which the other one waits for."""
    run = Run(folder / "stopped", 100_000, experiment)
    run.until(lambda: run.newest() >= 20)
    hosts = run.hosts()
    os.kill(hosts[1], signal.SIGSTOP)
    until = time.monotonic() + HEARTBEAT + SLACK
    while hosts[0] in run.hosts().values() and time.monotonic() < until:
        time.sleep(0.1)
    seconds = time.monotonic() - until + HEARTBEAT + SLACK
    run.end(120)
    held = seconds <= HEARTBEAT + SLACK and "(SIGSTOP)" in run.line()
    held = held and "host 1" in run.line() and not _living(hosts)
    return _told("SIGSTOP", run, seconds, held)


def stuck(folder: Path) -> dict:
    """Lets a process sleep for ever in Python."""
    told = ("--set-runtime", f"stall_s={STALL}")
    run = Run(folder / "stuck", 100_000, SUPPORT / "hosts_stall.py", *told)
    run.until(lambda: run.newest() >= 8, 120)  # Which the others log before they wait.
    seconds = run.end(300)
    held = run.process.returncode == 76 and "sleep_for_ever" in run.said()
    held = held and seconds <= STALL + SLACK
    return _told("stuck in Python", run, seconds, held and "host 1" in run.line())


def refused(folder: Path) -> dict:
    """Has one process raise a `UserError` at a step."""
    run = Run(folder / "refused", 100_000, SUPPORT / "hosts_refuse.py")
    run.until(lambda: "batch 8 is bad" in run.said())
    seconds = run.end(120)
    held = run.process.returncode == 2 and seconds <= 10 and "batch 8" in run.line()
    return _told("UserError on one", run, seconds, held and "host 1" in run.line())


def _told(fault: str, run: Run, seconds: float, held: bool) -> dict:
    seconds = round(seconds, 1)
    return {"fault": fault, "seconds": seconds, "line": run.line(), "holds": held}


def _living(hosts: dict[int, int]) -> list[int]:
    return [pid for pid in hosts.values() if Path(f"/proc/{pid}").exists()]


def _same(one: Path, other: Path, step: int) -> bool:
    """Returns whether two runs saved the same arrays, bit by bit."""
    import jax
    import numpy as np
    import orbax.checkpoint as ocp

    def read(run: Path) -> list:
        place, handler = run / f"checkpoints/{step}/default", ocp.PyTreeCheckpointer()
        known: Any = handler.metadata(place)
        plain = ocp.RestoreArgs(restore_type=np.ndarray)
        as_arrays = jax.tree.map(lambda _: plain, known.item_metadata.tree)
        return jax.tree.leaves(handler.restore(place, restore_args=as_arrays))

    pairs = zip(read(one), read(other), strict=True)
    return all(a.tobytes() == b.tobytes() for a, b in pairs)


def main() -> int:
    """Runs everything and prints it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only-kills", action="store_true")
    given = parser.parse_args()
    dice, steps = random.Random(given.seed), EACH * (given.kills + 1)
    folder = Path(tempfile.mkdtemp(prefix="recjax_faults_"))
    experiment, found = folder / "experiment.py", []
    experiment.write_text('"""Small."""\nfrom small import experiment\n')
    for number in range(given.kills):
        run = Run(folder / "killed", steps, experiment)
        victim = tuple(VICTIMS)[number % 3]
        found.append(kill(run, victim, number % 2 == 1, dice))
        print(json.dumps(found[-1]), flush=True)
    for name in ("killed", "whole") if given.kills else ():
        run = Run(folder / name, steps, experiment)
        run.end(3_600)
        assert run.process.returncode == 0, run.said()[-3000:]
    same = not given.kills or _same(folder / "killed", folder / "whole", steps)
    if not given.only_kills:
        for fault in (
            lambda: asked(folder, experiment, "save"),
            lambda: asked(folder, experiment, "compilation"),
            lambda: stopped(folder, experiment),
            lambda: stuck(folder),
            lambda: refused(folder),
        ):
            found.append(fault())
            print(json.dumps(found[-1]), flush=True)
    longest = max((one["seconds"] for one in found), default=0)
    report = {"steps": steps, "kills": given.kills, "bit_identical": same}
    report |= {"longest_s": longest, "hold": sum(one["holds"] for one in found)}
    print(json.dumps({**report, "of": len(found)}))
    return 0 if same and all(one["holds"] for one in found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
