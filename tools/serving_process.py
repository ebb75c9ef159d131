"""`recjax serve` in a process of its own, for the tools that measure it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Mapping
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")

KEPT = 1_000
"""Lines of a server's log that are kept, at most, of requests."""


class Server:
    """A server of bundles, NAME=FOLDER; a context manager that ends it.

    Attributes:
      port: that it listens at.
      lines: what it has said.
    """

    def __init__(self, *words: str, core: int | None = 0) -> None:
        """Starts `recjax serve` with some words, on one core or on all."""
        command = [sys.executable, "-m", "recjax", "serve", "--port", "0", *words]
        if core is not None and shutil.which("taskset"):
            command = ["taskset", "-c", str(core), *command]
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env=os.environ
        )
        self.port, self.lines = 0, list[str]()

    def __enter__(self) -> Server:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if '"ready"' in line:
                self.port = json.loads(line)["port"]
                # Who does not read stops a server that writes.
                threading.Thread(target=self._read, daemon=True).start()
                return self
        raise SystemExit("error: the server did not start\n" + "".join(self.lines))

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if len(self.lines) > KEPT:  # What workers say of themselves stays.
                old = [x for x in self.lines[: -KEPT // 2] if '"request"' not in x]
                self.lines[: -KEPT // 2] = old

    def processes(self) -> list[int]:
        """Returns the server's process and its children, such as workers."""
        found = [self.process.pid]
        for one in found:
            children = Path(f"/proc/{one}/task/{one}/children")
            found += map(int, children.read_text().split() if children.exists() else ())
        return found

    def cpu(self) -> float:
        """Returns the seconds of CPU that they have taken."""
        stats = [_read(one, "stat").rpartition(")")[2].split() for one in self._alive()]
        return sum(int(stat[11]) + int(stat[12]) for stat in stats) / TICK

    def memory(self, process: int = 0) -> int:
        """Returns the bytes of memory that a process holds; 0: the server's first."""
        return int(_read(process or self.process.pid, "statm").split()[1]) * PAGE

    def _alive(self) -> list[int]:
        return [one for one in self.processes() if _read(one, "stat")]

    def url(self, path: str) -> str:
        """Returns where a path is asked."""
        return f"http://127.0.0.1:{self.port}{path}"

    def get(self, path: str) -> str:
        """Returns what a path says."""
        with urllib.request.urlopen(self.url(path), timeout=30) as answer:
            return answer.read().decode()

    def wrk(
        self, path: str, script: Path, clients: int, seconds: float, **more: str
    ) -> Mapping[str, float]:
        """Returns what `wrk` found by a script that ends with a line "FOUND {...}"."""
        words = ["wrk", "-t1", f"-c{clients}", f"-d{seconds:g}s", "--timeout", "10s"]
        before = self.cpu()
        done = subprocess.run(
            [*words, "-s", script, self.url(path)],
            capture_output=True,
            text=True,
            env={**os.environ, **more},
            check=True,
        )
        line = next(x for x in done.stdout.splitlines() if x.startswith("FOUND "))
        return {**json.loads(line.removeprefix("FOUND ")), "cpu": self.cpu() - before}


def _read(process: int, name: str) -> str:
    try:
        return Path(f"/proc/{process}/{name}").read_text()
    except OSError:  # It has ended.
        return ""
