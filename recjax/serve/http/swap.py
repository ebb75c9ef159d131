"""New versions take over while the old ones answer; a bad one is refused."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import jax

from recjax.errors import UserError
from recjax.serve.http.models import END, LOADING, Model, Models, load
from recjax.serve.http.trial import AGAIN, Trials, give_way

log = logging.getLogger(__name__)
T = TypeVar("T")
SETTLE = 3.0
"""Seconds after which nothing holds a version that ended."""
CACHE = "jax_compilation_cache_dir"
ALL = {
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
}
"""Settings with which everything that is compiled is kept."""


def keep_compiled(folder: str) -> None:
    """Keeps what this process and its children compile, in a folder if none is set."""
    folder = os.environ.get(CACHE.upper(), folder)
    for name, value in {CACHE: folder, **ALL}.items():
        jax.config.update(name, value)
        os.environ[name.upper()] = str(value)


def settle() -> None:
    """Leaves what is loaded out of the search for garbage, which stops all threads.

    What was freed goes back to the system, which is as much as a version that ended.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    with contextlib.suppress(OSError, AttributeError):  # Of glibc alone.
        ctypes.CDLL("libc.so.6").malloc_trim(0)


class Swapper:
    """Looks for new versions, and has them take over."""

    def __init__(
        self, models: Models, added: Callable[[str, int], None], trials: Trials
    ) -> None:
        """`added` is told the name and version of what answers now."""
        self._models, self._added, self._trials = models, added, trials
        self._refused: dict[tuple[str, int], float] = {}

    async def start(self, name: str) -> None:
        """Has a model answer for the first time: the newest version that can be loaded.

        Raises:
          UserError: none can, or one with a label cannot.
        """
        there = self._models.sources[name].versions()
        self._models.wanted(name)  # Labels are of versions that are there.
        for version in set(self._models.labels.get(name, {}).values()):
            await self._open(name, version, there[version])
        faults: list[UserError] = []
        for version in sorted(there, reverse=True):
            try:
                return await self._open(name, version, there[version])
            except UserError as error:
                faults.append(error)
                self._refuse(name, version, there[version], error)
        raise faults[0]

    async def _open(self, name: str, version: int, folder: Path) -> None:
        if version not in self._models.available[name]:
            self._models.set_state(name, version, LOADING)
            self._available(await asyncio.to_thread(load, name, version, folder))

    async def run(self, seconds: float) -> None:
        """Looks every so many seconds, without end."""
        while True:
            await asyncio.sleep(seconds)
            for name in self._models.sources:
                try:
                    await self.look(name)
                except Exception:
                    log.exception("looking for versions of %s", name)

    async def look(self, name: str) -> None:
        """Has the versions of a model answer that lie there now."""
        models = self._models
        wanted = await asyncio.to_thread(models.wanted, name)
        for version, folder in sorted(wanted.items()):
            late = self._refused.get((name, version), 0.0)
            if version not in models.available[name] and late < time.monotonic():
                await self._take(name, version, folder)
        there = models.available[name]
        if set(wanted) & set(there):
            newest = max(wanted)
            # Until the newest is there, the one before it goes on.
            for version in [v for v in there if v not in wanted and newest in there]:
                models.set_state(name, version, END)
                log.info("ended", extra={"fields": {"model": name, "version": version}})
                # Requests that it is still to answer hold it meanwhile.
                asyncio.get_running_loop().call_later(SETTLE, settle)

    async def _take(self, name: str, version: int, folder: Path) -> None:
        models, start = self._models, time.monotonic()
        models.set_state(name, version, LOADING)
        fields: dict[str, object] = {"model": name, "version": version}
        try:
            await _quietly(lambda: self._trials.check(name, version, folder))
            model = await _quietly(lambda: load(name, version, folder))
        except UserError as error:
            self._refuse(name, version, folder, error)
            return
        self._available(model)
        fields["seconds"] = round(time.monotonic() - start, 1)
        log.info("available", extra={"fields": fields})

    def _available(self, model: Model) -> None:
        self._models.add(model)
        self._added(model.name, model.version)

    def _refuse(self, name: str, version: int, folder: Path, error: UserError) -> None:
        fault = str(error).replace(str(folder), f"{name}/{version}")
        self._models.set_state(name, version, END, fault)
        self._refused[name, version] = time.monotonic() + AGAIN
        fields = {"model": name, "version": version, "error": fault}
        log.error("refused", extra={"fields": fields})


async def _quietly(work: Callable[[], T]) -> T:
    """Works in a thread of low priority; the end of a server does not wait for it."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle_done(found: T | None, error: Exception | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(found)  # type: ignore[arg-type]
        else:
            done.set_exception(error)

    def run() -> None:
        give_way()
        found, fault = None, None
        try:
            found = work()
        except Exception as error:
            fault = error
        with contextlib.suppress(RuntimeError):  # The loop is closed.
            loop.call_soon_threadsafe(settle_done, found, fault)

    threading.Thread(target=run, name="load", daemon=True).start()
    return await done
