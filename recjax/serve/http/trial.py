"""A new version is opened and asked in a process of its own, once for all workers.

What it compiles lies in a cache, so that a worker has little left to do:

    python -m recjax.serve.http.trial NAME VERSION FOLDER
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from recjax.bundle import manifest
from recjax.errors import UserError
from recjax.serve.http.models import load

LOW = 5
"""Niceness of what is not to be in the way, and yet is to end on a full core."""
AGAIN = 30.0
"""Seconds after which a version that was refused is looked at again."""


def give_way() -> None:
    """Has this thread, and what it starts, run at low priority."""
    this = os.PRIO_PROCESS, threading.get_native_id()
    # A server that is low itself is left so: only root could raise it.
    os.setpriority(*this, max(LOW, os.getpriority(*this)))


class Trials:
    """Tries versions in a child; workers that share a folder share what was found."""

    def __init__(self, shared: Path) -> None:
        """`shared` is a folder of this server alone."""
        self._shared = shared
        self._child: subprocess.Popen[str] | None = None
        self._ended = False
        self._lock = threading.Lock()

    def check(self, name: str, version: int, folder: Path) -> None:
        """Waits until a child, of this worker or of another, has tried a version.

        Raises:
          UserError: what it found.
        """
        with (self._shared / f"{name}.{version}.tried").open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            found = json.loads(file.read() or "{}")
            fresh = not found.get("fault") or time.time() < found["at"] + AGAIN / 2
            if found.get("version") != _identity(folder) or not fresh:
                # Read before the trial: what is changed during it is tried again.
                found = {"version": _identity(folder)}
                found |= {"fault": self._run(name, version, folder), "at": time.time()}
                if self._ended:  # What was killed tells other workers nothing.
                    raise UserError("the server ends")
                file.truncate(0)
                file.write(json.dumps(found))
        if found["fault"]:
            raise UserError(found["fault"])

    def stop(self) -> None:
        """Ends the child, if there is one, and starts no more."""
        with self._lock:
            self._ended = True
            if self._child is not None:
                self._child.kill()

    def _run(self, name: str, version: int, folder: Path) -> str:
        words = [sys.executable, "-m", __name__, name, str(version), str(folder)]
        with self._lock:
            if self._ended:
                return ""
            # Not by the loop, which forks: what JAX holds locked would stay so.
            self._child = subprocess.Popen(
                words,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                errors="replace",
            )
        said = self._child.communicate()[0]
        status, self._child = self._child.returncode, None
        unsaid = f"the process that tried it ended with status {status}"
        return (said.strip() or unsaid) if status else ""


def _identity(folder: Path) -> list[int]:
    try:
        found = (folder / manifest.NAME).stat()
    except OSError:  # It has gone meanwhile, which the child says better.
        return []
    return [found.st_ino, found.st_ctime_ns, found.st_size]


def _main(name: str, version: str, folder: str) -> int:
    give_way()
    try:
        load(name, int(version), Path(folder))
    except UserError as error:
        print(error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
