"""Writing a prepared data set so that it appears at once and whole."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from recjax import disk
from recjax.data.records import ABOUT, about, sizes
from recjax.errors import UserError
from recjax.prepare.datasets.base import Builder

MARK = ".partial-"
FIX = "free space, or choose a folder you may write with --out or $RECJAX_CACHE"


def write(
    builder: Callable[..., Builder],
    path: Path,
    *,
    kind: str,
    source: Mapping[str, Any],
    extra: Mapping[str, Callable[[Path], None]] | None = None,
) -> Path:
    """Runs a builder's configs and moves the result to `path`.

    A folder that an earlier preparation made is replaced; any other is left alone.

    Args:
      builder: builder class, or such a class with arguments bound.
      path: folder of the data set.
      kind: "interactions" or "search".
      source: what the data was made from; equal means nothing to do.
      extra: file name -> function that writes it.

    Returns:
      `path`.

    Raises:
      UserError: `path` is taken, or cannot be written.
    """
    path = Path(os.path.abspath(path))
    if path.exists() and not (path / ABOUT).is_file():
        if not path.is_dir() or any(path.iterdir()):
            raise UserError(
                f"{path} exists and is no prepared data set: choose another --out."
            )
    work = path.parent / f".{path.name}{MARK}{socket.gethostname()}-{os.getpid()}"
    try:
        with disk.writing("the prepared data set", path, FIX):
            path.parent.mkdir(parents=True, exist_ok=True)
            _sweep(path)
            shutil.rmtree(work, ignore_errors=True)
            staged = _build(builder, work)
            for name, write_file in (extra or {}).items():
                write_file(staged / name)
            made = {"kind": kind, "source": source, "bytes": sizes(staged)}
            (staged / ABOUT).write_text(json.dumps(made, indent=1) + "\n")
            if path.exists():
                path.rename(work / "replaced")
            staged.rename(path)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return path


def is_prepared(path: Path, source: Mapping[str, Any]) -> bool:
    """Returns whether a folder holds a data set that was made from `source`."""
    return (path / ABOUT).is_file() and about(path).get("source") == source


def _build(builder: Callable[..., Builder], work: Path) -> Path:
    """Writes every config below `work` and returns the folder that holds them."""
    for config in getattr(builder, "func", builder).BUILDER_CONFIGS:
        made = builder(config=config.name, data_dir=work, file_format="array_record")
        with _quiet():
            made.download_and_prepare()
    return work / made.name


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps TFDS's announcements from stdout, and its bars off what is no terminal."""
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        tfds.enable_progress_bar()


def _sweep(path: Path) -> None:
    """Deletes what killed preparations of `path` on this machine left behind."""
    start = f".{path.name}{MARK}{socket.gethostname()}-"
    for left in path.parent.glob(f"{start}*"):
        pid = left.name.removeprefix(start)
        if pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
