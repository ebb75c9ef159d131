"""Files that settings name, beside the prepared data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recjax import settings
from recjax.paths import find_raw
from recjax.text import minilm

NAMES = "path", "folder"
"""Settings that name a file or a folder."""


def outside(node: Any) -> tuple[tuple[str, int, int, int], ...]:
    """Returns the files that settings name, with what changes when one is written.

    Args:
      node: an experiment, or a part of one.

    Returns:
      (path, time of the last change, inode, size) of each; of a folder, the files in
      it.
    """
    found = []
    for name, value in settings.leaves(node):
        if name.rsplit(".", 1)[-1] not in NAMES or not isinstance(value, str):
            continue
        place = Path(value)
        if value == minilm.FOLDER:
            fetched = find_raw(minilm.FOLDER, minilm.FILES[-1])
            place = place if fetched is None else fetched.parent
        inside = sorted(place.iterdir()) if place.is_dir() else [place]
        for file in filter(Path.is_file, inside):
            told = file.stat()
            found.append((str(file), told.st_mtime_ns, told.st_ino, told.st_size))
    return tuple(found)
