"""Several processes at one port, and the parent that starts dead ones again."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import time
from dataclasses import replace
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from recjax.errors import UserError
from recjax.serve.http.metrics import FOLDER, log_json
from recjax.serve.http.run import Settings, bind, run_server

log = logging.getLogger(__name__)
BAD = 2
"""Exit status of a worker whose bundles cannot be served."""
SOON, LONGEST = 10.0, 30.0
"""Seconds within which a death is soon, and most seconds before another start."""


def serve(settings: Settings) -> None:
    """Serves until a signal ends it.

    Raises:
      UserError: the port is taken, or a bundle cannot be served.
    """
    # A port that is shared could be that of another server: nobody may hold it alone.
    alone = bind(settings.host, settings.port, shared=False)
    if settings.workers == 1:
        run_server(settings, alone)
        return
    port = alone.getsockname()[1]
    alone.close()
    # Held and not listened at: the port stays ours while workers come and go.
    with (
        bind(settings.host, port, shared=True),
        tempfile.TemporaryDirectory(prefix="recjax_serve_") as folder,
    ):
        shared = Path(folder)
        counts = shared / "counts"
        counts.mkdir()
        os.environ[FOLDER] = str(counts)
        log_json()
        _Parent(replace(settings, port=port, shared=shared)).run()


def _work(settings: Settings) -> None:
    try:
        run_server(settings, bind(settings.host, settings.port, shared=True))
    except UserError as error:
        print(f"recjax: error: {error}", file=sys.stderr)
        sys.exit(BAD)


class _Parent:
    """Keeps workers alive until it is told to end."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._context = multiprocessing.get_context("spawn")
        self._born: dict[BaseProcess, float] = {}
        self._ending = False
        self._delay = 0.0
        # A signal wakes the wait for workers.
        self._heard, self._told = socket.socketpair()

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        for _ in range(self.settings.workers):
            self._start(self.settings)
        while self._born:
            alive: dict[Any, BaseProcess] = {one.sentinel: one for one in self._born}
            for ready in connection.wait([*alive, self._heard]):
                if ready in alive:
                    self._died(alive[ready])
                else:
                    self._heard.recv(64)

    def _start(self, settings: Settings) -> None:
        worker = self._context.Process(target=_work, args=(settings,))
        worker.start()
        self._born[worker] = time.monotonic()
        if self._ending:
            worker.terminate()

    def _died(self, worker: BaseProcess) -> None:
        worker.join()
        lived = time.monotonic() - self._born.pop(worker)
        if self._ending:
            return
        if worker.exitcode == BAD and lived < 60 * SOON:
            self._end()
            raise UserError("a worker cannot serve; what it said stands above")
        # One that dies at its start is not started without end.
        self._delay = min(2 * self._delay + 1, LONGEST) if lived < SOON else 0
        fields = {"worker": worker.pid, "status": worker.exitcode, "wait": self._delay}
        log.error("a worker died; another starts", extra={"fields": fields})
        time.sleep(self._delay)
        # Half of the new connections would go to one that has nothing to say yet.
        self._start(replace(self.settings, ready_first=True))

    def _end(self, *_: Any) -> None:
        self._ending = True
        for worker in self._born:
            worker.terminate()
        self._told.send(b".")
