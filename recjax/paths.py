"""Where raw and prepared data live on this machine."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """Returns the folder recjax may fill: `$RECJAX_CACHE` or `~/.cache/recjax`."""
    return Path(os.environ.get("RECJAX_CACHE") or "~/.cache/recjax").expanduser()


def prepared_root() -> Path:
    """Returns the folder that holds one folder per prepared data set."""
    return cache_root() / "prepared"


def raw_root() -> Path:
    """Returns the folder of raw files, one folder per data set.

    `$RECJAX_DATA`, else `../shared/data` beside the checkout when that exists, else
    `raw` in the cache.
    """
    if named := os.environ.get("RECJAX_DATA"):
        return Path(named).expanduser()
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return beside if beside.is_dir() else cache_root() / "raw"


def find_raw(*parts: str) -> Path | None:
    """Returns the raw file of that relative path, or None where there is none."""
    for root in (raw_root(), cache_root() / "raw"):
        if (path := root.joinpath(*parts)).is_file():
            return path
    return None


def writable_raw(folder: str) -> Path:
    """Returns a folder for downloaded raw files, made if missing.

    It lies in `$RECJAX_DATA` if that is named and may be written, else in the cache:
    a folder that was merely found beside the checkout is only ever read.

    Raises:
      OSError: neither can be written.
    """
    named = os.environ.get("RECJAX_DATA")
    if named and _may_write(raw_root()):
        path = raw_root() / folder
    else:
        path = cache_root() / "raw" / folder
    path.mkdir(parents=True, exist_ok=True)
    return path


def _may_write(folder: Path) -> bool:
    """Whether files may be added to a folder, or to the one it would be made in."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    # The mode is asked too: root may write anywhere, but read-only is meant.
    return bool(folder.stat().st_mode & 0o222) and os.access(folder, os.W_OK)
