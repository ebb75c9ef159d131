"""Starts the processes of a run on this machine, and ends them together."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from recjax.launch.join import BAD_INPUT, BROKEN, NAMES, PREEMPTED, STALLED

log = logging.getLogger(__name__)
POLL_SECONDS = 0.1
GRACE_SECONDS, LEFT_SECONDS = 60.0, 5.0
"""How long processes may take to end: to save once they are asked to, and to leave once
another one has failed, without which nothing can be saved."""
_AFTER = {BROKEN: 1, -signal.SIGABRT: 2, 134: 2}
"""Statuses of processes that may end of another's death, behind those that do not."""
WHY = {
    BROKEN: "it broke",
    BAD_INPUT: "bad input",
    PREEMPTED: "saved and stopped",
    STALLED: "no step ended in time",
}
AGAIN = (BROKEN, PREEMPTED, STALLED)
"""Exit statuses after which another attempt may help; so may any death by a signal."""


@dataclass(frozen=True)
class Ended:
    """How the processes of one attempt ended.

    Attributes:
      status: exit status of the one that failed first, 0 where none did; negative for
        a signal.
      host: its number.
      words: the last thing it said.
      asked: whether this process was asked to stop them.
    """

    status: int
    host: int
    words: str
    asked: bool = False

    def __str__(self) -> str:
        """The cause in one line."""
        how = WHY.get(self.status, f"exit status {self.status}")
        if self.status < 0:
            how = f"killed by {signal.Signals(-self.status).name}"
        return f"host {self.host}: {how}" + (f": {self.words}" if self.words else "")


def run(words: Sequence[str], processes: int, devices: int, restarts: int) -> Ended:
    """Runs a command of recjax in several processes, which join each other.

    Args:
      words: what stands after `recjax`.
      processes: how many.
      devices: CPU devices that each pretends to have; 0 leaves them as they are.
      restarts: how often to start all again after a failure that a restart may mend.

    Returns:
      How the last attempt ended.
    """
    for attempt in range(restarts):
        ended = _attempt(words, processes, devices)
        again = ended.status < 0 or ended.status in AGAIN
        if ended.asked or not again:
            return ended
        log.warning("%s; starting again (%d of %d)", ended, attempt + 1, restarts)
    return _attempt(words, processes, devices)


def _attempt(words: Sequence[str], processes: int, devices: int) -> Ended:
    port = _free_port()
    said = [""] * processes
    running = [
        _start(words, host, processes, port, devices) for host in range(processes)
    ]
    readers = [
        threading.Thread(target=_relay, args=(process, host, said), daemon=True)
        for host, process in enumerate(running)
    ]
    for reader in readers:
        reader.start()
    first, asked, frozen = None, False, list[int]()
    with _signals() as received:
        until = None
        while any(process.poll() is None for process in running):
            if first is None:
                frozen = [h for h, one in enumerate(running) if _frozen(one)]
                first = _failed(running)
            if received and not asked:
                asked = True
                _send(running, signal.SIGTERM)
                until = time.monotonic() + GRACE_SECONDS
            if first is not None and until is None:
                saving = running[first].returncode == PREEMPTED
                _send(running, signal.SIGTERM)
                until = time.monotonic() + (GRACE_SECONDS if saving else LEFT_SECONDS)
            if until is not None and (time.monotonic() > until or len(received) > 1):
                _send(running, signal.SIGKILL)
            time.sleep(POLL_SECONDS)
    for reader in readers:
        reader.join(5)
    if first is None:
        first = _failed(running)
    if first is None:
        return Ended(0, 0, "", asked)
    if frozen and running[first].returncode in _AFTER:
        words = "it was stopped (SIGSTOP) and gave no sign"
        return Ended(STALLED, frozen[0], words, asked)
    return Ended(running[first].returncode, first, said[first], asked)


def _failed(running: Sequence[subprocess.Popen]) -> int | None:
    """Returns the process that failed; of several that of a cause of its own."""
    ended = [(p.poll(), host) for host, p in enumerate(running) if p.poll()]
    # One that aborts tells of another's death; look once more who that was.
    if not ended:
        return None
    time.sleep(1)
    ended = [(p.poll(), host) for host, p in enumerate(running) if p.poll()]
    return min(ended, key=lambda one: (_AFTER.get(one[0] or 0, 0), one[1]))[1]


def _frozen(process: subprocess.Popen) -> bool:
    """Returns whether a process lives and was stopped, as by SIGSTOP."""
    try:
        told = Path(f"/proc/{process.pid}/stat").read_text()
    except OSError:  # It has ended, or this system says nothing of processes.
        return False
    return told.rpartition(")")[2].split()[0] in "Tt"


def _start(
    words: Sequence[str], host: int, processes: int, port: int, devices: int
) -> subprocess.Popen:
    told = (f"127.0.0.1:{port}", str(processes), str(host))
    environment = {**os.environ, **dict(zip(NAMES, told, strict=True))}
    if devices:
        flags = environment.get("XLA_FLAGS", "")
        kept = re.sub(r"--xla_force_host_platform_device_count=\d+", "", flags)
        count = f"--xla_force_host_platform_device_count={devices}"
        environment["XLA_FLAGS"] = f"{kept} {count}".strip()
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "recjax", *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        # In a session of its own, Ctrl-C reaches it once: from here.
        start_new_session=True,
    )


def _relay(process: subprocess.Popen, host: int, said: list[str]) -> None:
    """Prints what a process says, its number before each line."""
    for line in process.stdout or ():
        print(f"[{host}] {line}", end="", flush=True)
        if "recjax: error: " in line:
            said[host] = line.partition("recjax: error: ")[2].strip()


def _send(running: Sequence[subprocess.Popen], number: signal.Signals) -> None:
    for process in running:
        if process.poll() is None:
            process.send_signal(number)


@contextlib.contextmanager
def _signals() -> Iterator[list[int]]:
    """Notes signals that ask to stop; the processes are asked in turn."""
    received: list[int] = []
    before = {
        number: signal.signal(number, lambda n, _: received.append(n))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
