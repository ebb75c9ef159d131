"""New versions take over while the old ones answer; a bad one is refused.

A child of low priority opens a new version first, compiles it and asks it: what it
compiles lies in a cache, so that the server's own thread has little left to do.

    python -m recjax.serve.http.swap NAME VERSION FOLDER    is that child
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import jax

from recjax.errors import UserError
from recjax.serve.http.models import END, LOADING, Model, Models, load

log = logging.getLogger(__name__)
LOW = 10
"""Niceness of what is not to be in the way."""
AGAIN = 30.0
"""Seconds after which a version that was refused is looked at again."""
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
    """Leaves what is loaded out of the search for garbage, which stops all threads."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def load_quietly(name: str, version: int, folder: Path) -> Model:
    """Does what `load` does, at low priority: in a thread of its own."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOW)
    return load(name, version, folder)


class Swapper:
    """Looks for new versions, and has them take over."""

    def __init__(self, models: Models, added: Callable[[str, int], None]) -> None:
        """`added` is told the name and version of what answers now."""
        self._models, self._added = models, added
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
                settle()

    async def _take(self, name: str, version: int, folder: Path) -> None:
        models, start = self._models, time.monotonic()
        models.set_state(name, version, LOADING)
        fields: dict[str, object] = {"model": name, "version": version}
        try:
            await asyncio.to_thread(_try, name, version, folder)
            model = await asyncio.to_thread(_in_thread, name, version, folder)
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


def _in_thread(name: str, version: int, folder: Path) -> Model:
    """Runs `load_quietly` in a thread that ends, so that none stays slow."""
    found: list[Model | Exception] = []

    def run() -> None:
        try:
            found.append(load_quietly(name, version, folder))
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run, name="load")
    thread.start()
    thread.join()
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


def _try(name: str, version: int, folder: Path) -> None:
    """Has a child open and ask a version.

    Raises:
      UserError: what it found.
    """
    words = [sys.executable, "-m", __name__, name, str(version), str(folder)]
    # Not by the loop, which forks: what JAX holds locked would stay so in the child.
    done = subprocess.run(words, capture_output=True, text=True, errors="replace")
    if done.returncode:
        status = f"the process that tried it ended with status {done.returncode}"
        raise UserError(done.stdout.strip() or status)


def _main(name: str, version: str, folder: str) -> int:
    os.nice(LOW)
    try:
        load(name, int(version), Path(folder))
    except UserError as error:
        print(error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
