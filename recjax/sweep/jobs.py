"""Runs the runs of a sweep, each in a process of its own."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from recjax import disk
from recjax.launch.command import train_words
from recjax.sweep.plan import SweepRun
from recjax.train import stop_signal

log = logging.getLogger(__name__)
POLL_SECONDS = 0.1
LOG = "log.txt"
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Failure:
    """A run that did not end well.

    Attributes:
      cell: the run.
      reason: one line or more, as the run told it.
    """

    cell: SweepRun
    reason: str


def run_all(cells: Sequence[SweepRun], jobs: int = 1) -> list[Failure]:
    """Runs what is not done yet, `jobs` at a time; a failure does not stop the others.

    Args:
      cells: the runs.
      jobs: processes at a time.

    Returns:
      The runs that failed.

    Raises:
      KeyboardInterrupt: Ctrl-C, SIGTERM or SIGHUP; the runs have saved their states.
    """
    waiting = [cell for cell in cells if cell.result() is None]
    if len(cells) > len(waiting):
        log.info("%d of %d runs are done", len(cells) - len(waiting), len(cells))
    total, began, ended = len(waiting), time.monotonic(), 0
    running: dict[subprocess.Popen, SweepRun] = {}
    failures: list[Failure] = []
    with _terminate_as_interrupt():
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    cell = waiting.pop(0)
                    log.info("%s seed %d: %s", cell.variant, cell.seed, cell.folder)
                    running[_start(cell)] = cell
                time.sleep(POLL_SECONDS)
                for process in [p for p in running if p.poll() is not None]:
                    cell = running.pop(process)
                    ended += 1
                    reason = _reason(cell, process.returncode)
                    if reason is not None:
                        failures.append(Failure(cell, reason))
                    left = (time.monotonic() - began) / ended * (total - ended)
                    log.info(
                        "%d/%d %s seed %d %s, %.0f s left",
                        *(ended, total, cell.variant, cell.seed),
                        *("done" if reason is None else f"failed: {reason}", left),
                    )
        finally:
            _stop(running)
    return failures


def command(cell: SweepRun) -> list[str]:
    """Returns the command of a run, which a person can repeat."""
    asked = cell.request
    # A sweep stands in a file.
    assert isinstance(asked.experiment, str) and isinstance(asked.runtime, str)
    told = train_words(
        asked.experiment,
        cell.folder,
        asked.runtime,
        asked.set,
        asked.set_runtime,
        asked.tiny,
        asked.variant,
    )
    return [sys.executable, "-m", "recjax", *told]


def _start(cell: SweepRun) -> subprocess.Popen:
    with disk.writing("the run folder", cell.folder, disk.GO_ON):
        cell.folder.mkdir(parents=True, exist_ok=True)
        with (cell.folder / LOG).open("w") as out:
            # In a session of its own, Ctrl-C reaches the run once: from here.
            return subprocess.Popen(
                command(cell),
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=_end_with_sweep if sys.platform == "linux" else None,
            )


def _end_with_sweep() -> None:
    """Asks for a SIGTERM, at which a run saves and ends, once the sweep is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _reason(cell: SweepRun, status: int) -> str | None:
    if status == 0 and cell.result() is not None:
        return None
    text = (cell.folder / LOG).read_text(errors="replace").strip()
    told = text.partition("recjax: error: ")[2]
    if told:
        return told
    last = text.splitlines()[-1] if text else "it said nothing"
    how = f"signal {-status}" if status < 0 else f"status {status}"
    return f"ended with {how}: {last} (all of it: {cell.folder / LOG})"


def _stop(running: dict[subprocess.Popen, SweepRun]) -> None:
    """Lets what runs save its state; a second Ctrl-C kills it."""
    if running:
        log.warning("stopping %d runs; they save first", len(running))
    try:
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait()
    except KeyboardInterrupt:
        for process in running:
            process.kill()
        raise


@contextlib.contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    # SIGINT interrupts by itself, unless the shell says that it is not for us.
    asking = [one for one in stop_signal.stop_signals() if one != signal.SIGINT]
    before = {one: signal.signal(one, interrupt) for one in asking}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
