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
from collections.abc import Iterator
from typing import Literal, TypeVar

from recjax.launch import hosts
from recjax.launch.join import STALLED, leave

log = logging.getLogger(__name__)
T = TypeVar("T")
Phase = Literal["start", "data", "wait", "compile", "step", "evaluate", "save"]
LIMITS: dict[str, float] = {"start": 1_800, "compile": 1_800}
LIMITS |= {"evaluate": 7_200, "save": 1_800}
"""Seconds of what takes its time without a step; of others ten times a median step."""
LEAST_SECONDS, STEPS = 120.0, 10
SLOW = 0.1
"""Part of what ends a run, after which those that others wait for are named."""
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
        self._named: dict[int, list] = {}
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

    def together(
        self, batches: Iterator[T], start: int, steps: int, ahead: int
    ) -> Iterator[T]:
        """Yields batches once every process has its own; just them where it is alone.

        A step that one process begins and another does not waits on the devices, where
        nothing tells for whom, and collectives that wait too long end the run. Here the
        wait has a name, and all processes stay alive.

        The processes meet once for `ahead` steps, since the coordinator serves all of
        them: about 0.4 ms of its time for each is too much for every step of 10 ms of a
        large pod. No step begins before all have its batch even so: those of the next
        `ahead` steps are made before the first of them. Steps are given to the devices
        ahead of time, which therefore work while the processes meet.

        Args:
          batches: of this process, from step `start + 1` on.
          start: steps that are done.
          steps: steps of the run.
          ahead: batches that are made ahead anyway.

        Raises:
          RuntimeError: another process ended.
        """
        return batches if hosts.alone() else self._meet(batches, start, steps, ahead)

    def _meet(
        self, batches: Iterator[T], start: int, steps: int, ahead: int
    ) -> Iterator[T]:
        held, size = deque[T](), max(ahead, 1)
        for first in range(start + 1, steps + 1, size):
            for step in range(first, min(first + size, steps + 1)):
                self._at = ("data", step, time.monotonic())
                held.append(next(batches))
            self._at = ("wait", first, time.monotonic())
            # What waits too long is ended below, with a name and a stack.
            hosts.meet("step", 2 * max(LIMITS.values()))
            while held:
                yield held.popleft()

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
            # What others put up is as old as a look.
            slow = max(SLOW * self.limit(phase), 2 * POLL_SECONDS)
            if phase == "wait" and seconds > slow:
                self._name_late()
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

    def _name_late(self) -> None:
        told = hosts.posts(BOARD)
        late = {h: one for h, one in told.items() if json.loads(one)[0] != "wait"}
        # One of those that wait speaks, and once of each place.
        speaks = min(told.keys() - late.keys(), default=-1) == hosts.index()
        places = {host: json.loads(one)[:2] for host, one in late.items()}
        if late and speaks and self._named != places:
            self._named = places
            who = ", ".join(f"host {h} at {_told(late[h])}" for h in sorted(late))
            log.warning("waiting for %s", who)

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
