"""Makes the views of images that a data set wants kept, and the maps of their network.

Where the first parts of a network are frozen, most of a step would go into what they
make of an image, again and again. With so many views of each image their maps are made
once; a step draws one of the views and starts behind the frozen parts. Runs that differ
in anything else share them.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import mmap
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from recjax import disk
from recjax.data.dataset import Dataset
from recjax.data.images.views import Keep, KeepsViews, KeptViews, RowFile, Wanted
from recjax.errors import UserError
from recjax.models import Model
from recjax.nn.backbones import FrozenFront
from recjax.paths import cache_root
from recjax.train.stop_signal import StopSignal

log = logging.getLogger(__name__)

BLOCK = 64
"""Images that the frozen parts see at a time."""
SAVE_SECONDS, WAIT_SECONDS = 10, 1
FILES, DONE, LOCK = ("pixels.npy", "maps.npy"), "done", "lock"


class Trunk(Protocol):
    """The frozen first parts of a network."""

    @property
    def trunk(self) -> str:
        """Says which weights and parts; two that say the same make the same maps."""
        ...

    def maps(self, images: np.ndarray) -> np.ndarray:
        """Returns f16[n, h, w, C] of uint8[n, size, size, 3]."""
        ...


def with_views(dataset: Dataset, model: Model) -> Dataset:
    """Returns a data set that can keep views, if it wants to, for this model.

    Raises:
      UserError: it wants to, and the model has no frozen parts.
    """
    if not isinstance(dataset, KeepsViews) or not dataset.views:
        return dataset
    branch = getattr(model, "branch", None)
    front = branch if isinstance(branch, FrozenFront) and branch.frozen else None
    if front is None or front.weights is None:
        raise UserError(
            f"data.views = {dataset.views} keeps maps of the frozen parts of "
            "model.branch, which has none that start from weights: set data.views=0"
        )
    return dataset.keeping(keeper(front))


def keeper(trunk: Trunk) -> Keep:
    """Returns the function that opens views, and makes them where they are not there.

    What is made so far stays, whatever ends the process, and the next one goes on from
    there. Of several that want the same views, one makes them and the others wait.

    Args:
      trunk: makes the maps.
    """
    return partial(_kept, trunk)


def _kept(trunk: Trunk, wanted: Wanted) -> KeptViews:
    digest = hashlib.sha256("\0".join([*wanted.key, trunk.trunk]).encode()).hexdigest()
    folder = cache_root() / "views" / digest[:16]
    fix = "free space, or name another disk by RECJAX_CACHE"
    with disk.writing("the views of the images", folder, fix):
        _make_once(folder, trunk, wanted)
    return KeptViews(*(RowFile.open(folder / name) for name in FILES))


def _make_once(folder: Path, trunk: Trunk, wanted: Wanted) -> None:
    """Makes the views where nobody has, or waits for who is making them."""
    part, told = folder.with_name(folder.name + ".partial"), False
    with closing(StopSignal()) as stop:
        while not folder.is_dir():
            with _lock(part) as ours:
                if ours and folder.is_dir():  # They were ready in this very moment.
                    shutil.rmtree(part, ignore_errors=True)
                elif ours:
                    _make(part, trunk, wanted, stop)
                    part.rename(folder)
            if ours:
                continue
            if not told:
                log.info("another process makes the views of these images: waiting")
            told = True
            _leave_if_asked(stop, "waiting for them")
            time.sleep(WAIT_SECONDS)


@contextlib.contextmanager
def _lock(part: Path) -> Iterator[bool]:
    """Tells whether a folder in the making is ours; the system ends it with us."""
    part.mkdir(parents=True, exist_ok=True)
    try:
        file = (part / LOCK).open("w")
    except FileNotFoundError:  # It was finished, and renamed, in between.
        yield False
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError as error:
            log.warning("%s cannot be locked: %s", part, error.strerror)
        yield True


def _make(part: Path, trunk: Trunk, wanted: Wanted, stop: StopSignal) -> None:
    files = [part / name for name in FILES]
    done, held = _begun(part, wanted.count)
    first, began = done, time.monotonic()
    saved = began
    try:
        while done < wanted.count:
            numbers = range(done, min(done + BLOCK, wanted.count))
            pixels = np.stack([wanted.view(i) for i in numbers])
            # One shape for all blocks, so that the network is compiled once.
            padded = np.pad(pixels, ((0, BLOCK - len(pixels)), *((0, 0),) * 3))
            parts = pixels, trunk.maps(padded)[: len(pixels)]
            if not held:
                held = [
                    _room(file, made, wanted.count)
                    for file, made in zip(files, parts, strict=True)
                ]
            for array, made in zip(held, parts, strict=True):
                array[numbers.start : numbers.stop] = made
            done = numbers.stop
            _leave_if_asked(stop, f"{done:,} of {wanted.count:,} are kept")
            if time.monotonic() - saved > SAVE_SECONDS:
                saved = _save(part, held, done)
                left = (saved - began) / (done - first) * (wanted.count - done)
                log.info(
                    "views of images: %d/%d, %.0f s left", done, wanted.count, left
                )
    finally:
        _save(part, held, done)


def _room(file: Path, some: np.ndarray, count: int) -> np.ndarray:
    """Returns an array on disk for `count` rows like those of another."""
    shape = (count, *some.shape[1:])
    array = np.lib.format.open_memmap(file, mode="w+", dtype=some.dtype, shape=shape)
    with file.open("r+b") as whole:
        # A disk that is full later would kill the process.
        os.posix_fallocate(whole.fileno(), 0, file.stat().st_size)
    return array


def _begun(part: Path, count: int) -> tuple[int, list[Any]]:
    """Returns how many views a folder in the making holds, and its arrays."""
    try:
        done = int((part / DONE).read_text())
        held = [np.load(part / name, mmap_mode="r+") for name in FILES]
        if 0 < done <= count and all(len(array) == count for array in held):
            return done, held
    except (OSError, ValueError, EOFError):
        pass
    return 0, []


def _save(part: Path, held: list[Any], done: int) -> float:
    """Says how many views are on disk, once they are; returns the time."""
    for array in held:
        array.flush()
        # What is on disk need not count as this process's memory.
        array._mmap.madvise(mmap.MADV_DONTNEED)
    if held:
        disk.write_text(part / DONE, f"{done}\n")
    return time.monotonic()


def _leave_if_asked(stop: StopSignal, state: str) -> None:
    if stop.received is not None:
        log.warning(
            "%s: views of images: %s, run the same command to go on",
            stop.received,
            state,
        )
        raise KeyboardInterrupt
