"""Processes of the server: one, or several at one port and a parent that keeps them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from recjax.errors import UserError
from recjax.serve.http.app import Paths, application
from recjax.serve.http.batcher import Batcher
from recjax.serve.http.cache import Cache, Kept
from recjax.serve.http.full import Full
from recjax.serve.http.limits import Limits, Room
from recjax.serve.http.listen import Server
from recjax.serve.http.metrics import Metrics, Record, log_json
from recjax.serve.http.models import Models, Source
from recjax.serve.http.predict import Known, Predict
from recjax.serve.http.protocol import LOOK, Protocol, look_at
from recjax.serve.http.spans import spans
from recjax.serve.http.swap import Swapper, keep_compiled, settle
from recjax.serve.http.trial import Trials

log = logging.getLogger(__name__)
SWITCH = 0.000_5
"""Seconds after which the model's thread lets the others go on."""


@dataclass(frozen=True)
class Settings:
    """How to serve.

    Attributes:
      sources: the models.
      labels: name -> label -> version.
      host: address to listen at.
      port: of it; 0 takes a free one.
      workers: processes.
      wait_us: microseconds that a batch waits for more.
      token: that a request must bear; "" for none.
      log_all: log every request.
      poll_s: seconds between looks for new versions.
      pictures: model -> folder of pictures, named by the ids of items.
      limits: of requests.
      shared: folder of what workers compile and find of new versions; None: one
        worker has its own.
      ready_first: listen only once all models answer, as beside workers that do.
    """

    sources: Sequence[Source]
    labels: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    host: str = "127.0.0.1"
    port: int = 8501
    workers: int = 1
    wait_us: int = 0
    token: str = ""
    log_all: bool = False
    poll_s: float = 5.0
    pictures: Mapping[str, Path] = field(default_factory=dict)
    limits: Limits = Limits()
    shared: Path | None = None
    ready_first: bool = False


def bind(host: str, port: int, shared: bool) -> socket.socket:
    """Returns a socket at an address, `shared` with others of this server or not.

    Raises:
      UserError: the address is taken or is none.
    """
    try:
        kind = socket.AF_INET6 if ":" in host else socket.AF_INET
        made = socket.socket(kind, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind((host, port))
        return made
    except (OSError, OverflowError) as error:
        raise UserError(
            f"cannot listen at {host}, port {port}: {error}; choose another --port"
        ) from error


def run_server(settings: Settings, listening: socket.socket) -> None:
    """Serves at a socket until a signal ends it.

    Raises:
      UserError: a bundle cannot be served.
    """
    log_json()
    sys.setswitchinterval(SWITCH)
    models = Models({one.name: one for one in settings.sources}, settings.labels)
    limits, room = settings.limits, Room(settings.limits.queue)
    metrics = Metrics(lambda: room.taken)
    batcher = Batcher(settings.wait_us, metrics.batch)
    record = Record(metrics, settings.log_all, spans())
    # One half for rows, one for whole requests.
    kept = 0.5e6 * limits.cache_mb, limits.cache_s
    cache = Cache(*kept) if limits.cache_mb else None
    known: Kept[Known] = Kept(*kept)
    others = cache, known, settings.token
    predict = Predict(models, limits, room, batcher, record, *others)
    full = Full(room, models, record, settings.token)
    failed: list[Exception] = []
    tasks: list[asyncio.Task[None]] = []

    async def load_all() -> None:
        swapper = Swapper(models, metrics.version, trials)
        try:
            for name in models.sources:
                await swapper.start(name)
        except Exception as error:
            failed.append(error)
            server.should_exit = True
            return
        settle()
        place = listening.getsockname()
        fields = {"host": place[0], "port": place[1], "models": [*models.sources]}
        log.info("ready", extra={"fields": fields})
        tasks.append(asyncio.create_task(swapper.run(settings.poll_s)))

    async def look() -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK)
            look_at(server.server_state.connections, loop.time())
            full.count()

    @contextlib.asynccontextmanager
    async def background() -> AsyncIterator[None]:
        tasks.append(asyncio.create_task(look()))
        loading = asyncio.create_task(load_all())
        tasks.append(loading)
        if settings.ready_first:
            await loading
        yield
        for task in tasks:
            task.cancel()
        trials.stop()
        batcher.stop()

    paths = Paths(models, metrics, limits, settings.token, settings.pictures)
    app = application(predict, paths, background)
    own: dict[str, Any] = {"limits": limits, "answer": staticmethod(predict.direct)}
    if cache is None:  # Else what is known is still answered.
        own["full"] = staticmethod(full)
    kind = type("Bounded", (Protocol,), own)
    config = uvicorn.Config(
        app,
        http=kind,
        loop="uvloop",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=limits.keep_alive_s,
        timeout_graceful_shutdown=limits.drain_s,
    )
    server = Server(config)

    def end(*_: object) -> None:
        server.should_exit = True

    # Uvicorn raises a signal again once all is drained; to us it has been told.
    for number in (signal.SIGTERM, signal.SIGINT):
        if threading.current_thread() is threading.main_thread():
            signal.signal(number, end)
    with tempfile.TemporaryDirectory(
        prefix="recjax_serve_", ignore_cleanup_errors=True
    ) as own_folder:
        folder = settings.shared or Path(own_folder)
        trials = Trials(folder)
        keep_compiled(str(folder / "compiled"))
        server.run([listening])
    if failed:
        raise failed[0]
