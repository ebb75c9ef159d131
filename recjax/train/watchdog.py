"""Ends a run of several processes in which no step ends, and says who is where.

A process that waits for a dead or stuck one in a collective would wait for ever, with
nothing said. Each process tells what it is at from a thread of its own; the first one
prints what all of them told, with the Python stack of each.
"""

from __future__ import annotations

import json
import logging
import statistics
import sys
import threading
import time
import traceback
from collections import deque
from typing import Literal

from recjax.launch import hosts
from recjax.launch.join import STALLED, leave

log = logging.getLogger(__name__)
Phase = Literal["start", "data", "compile", "step", "evaluate", "save"]
LIMITS: dict[str, float] = {"start": 1_800, "compile": 1_800}
LIMITS |= {"evaluate": 7_200, "save": 1_800}
"""Seconds of what takes its time without a step; of others ten times a median step."""
LEAST_SECONDS, STEPS = 120.0, 10
POLL_SECONDS, LAST_WORDS_SECONDS, SPEAKER_SECONDS = 1.0, 3.0, 5.0
"""Between looks; for all to put up their stacks; for the first to print them."""
BOARD, STACKS = "at", "stacks"


class Watchdog:
    """Watches one process; does nothing where it is alone."""

    def __init__(self, stall_s: float = 0.0) -> None:
        """Starts watching.

        Args:
          stall_s: seconds without a step that are too many; 0 takes ten times the
            median step, and at least two minutes.
        """
        self._stall, self._steps = stall_s, deque[float](maxlen=50)
        self._at: tuple[str, int, float] = ("start", 0, time.monotonic())
        self._began: float | None = None
        self._closed = threading.Event()
        if not hosts.alone():
            threading.Thread(target=self._watch, daemon=True).start()

    def at(self, phase: Phase, step: int) -> None:
        """Notes what this process begins, and at which step."""
        now = time.monotonic()
        if phase == "data":
            if self._began is not None:
                self._steps.append(now - self._began)
            self._began = now
        if phase == "step" and not self._steps:
            phase = "compile"
        self._at = (phase, step, now)

    def limit(self, phase: str) -> float:
        """Returns after how many seconds at a phase the run counts as stalled."""
        if phase in LIMITS:
            return LIMITS[phase]
        median = statistics.median(self._steps) if self._steps else 0.0
        return self._stall or max(LEAST_SECONDS, STEPS * median)

    def close(self) -> None:
        """Stops watching."""
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.wait(POLL_SECONDS):
            phase, _, since = self._at
            seconds = time.monotonic() - since
            hosts.post(BOARD, self._where())
            if seconds > self.limit(phase) and seconds > self._patience():
                hosts.post(STACKS, self._stack())
                time.sleep(LAST_WORDS_SECONDS)
                if not hosts.first():
                    time.sleep(SPEAKER_SECONDS)
                # Whatever goes on by now was slow, not stuck.
                if self._at[2] == since:
                    self._end(seconds)

    def _patience(self) -> float:
        # Steps are given to the device ahead: one may wait for another that compiles.
        told = hosts.posts(BOARD).values()
        return max((self.limit(json.loads(text)[0]) for text in told), default=0.0)

    def _stack(self) -> str:
        # Batches are made in threads: the main one alone may say nothing.
        mine = threading.get_ident()
        stacks = [f for i, f in sys._current_frames().items() if i != mine]
        return "\n".join("".join(traceback.format_stack(frame)) for frame in stacks)

    def _end(self, seconds: float) -> None:
        told, stacks = {}, {}
        # The first process ends the run; where it does not, each tells of itself.
        if hosts.first():
            told, stacks = hosts.posts(BOARD), hosts.posts(STACKS)
        told[hosts.index()], stacks[hosts.index()] = self._where(), self._stack()
        for host in range(hosts.count()) if hosts.first() else (hosts.index(),):
            print(f"host {host}: {_told(told.get(host))}", file=sys.stderr)
            print(stacks.get(host, "  says nothing more"), file=sys.stderr)
        places = ", ".join(
            f"host {host} at {json.loads(text)[0]} of step {json.loads(text)[1]}"
            for host, text in sorted(told.items())
        )
        what = f"no step ended for {seconds:.0f} s; {places}"
        leave(STALLED, f"recjax: error: {what}")

    def _where(self) -> str:
        phase, step, since = self._at
        return json.dumps([phase, step, round(time.monotonic() - since)])


def _told(text: str | None) -> str:
    if text is None:
        return "never said where it is"
    phase, step, seconds = json.loads(text)
    return f"{phase} of step {step} for {seconds} s"
