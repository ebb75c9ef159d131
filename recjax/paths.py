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
    """Returns a folder of the cache for downloaded raw files, made if missing.

    What `$RECJAX_DATA` names is only ever read.

    Raises:
      OSError: it cannot be written.
    """
    path = cache_root() / "raw" / folder
    path.mkdir(parents=True, exist_ok=True)
    return path
