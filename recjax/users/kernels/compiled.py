"""What was compiled before is used again only if no kernel has changed since.

numba compares the file of the function that is called, alone. What it took in of other
files may be of an older recjax, after an upgrade say, and would be used without a word.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def forget_stale(function: Any) -> None:
    """Removes kept code that is older than a file beside the function's own.

    Args:
      function: compiled, and kept if there is a folder for it; not called yet.

    Raises:
      OSError: a file cannot be removed.
    """
    if not (folder := function.stats.cache_path):
        return
    beside = Path(function.py_func.__code__.co_filename).parent
    newest = max(path.stat().st_mtime for path in beside.glob("*.py"))
    for kept in Path(folder).glob("*.nbi"):
        try:
            if kept.stat().st_mtime < newest:
                kept.unlink()
        except FileNotFoundError:
            # Another process has removed it.
            continue
