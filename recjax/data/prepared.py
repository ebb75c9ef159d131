"""Finding prepared data sets: by name under the cache, or by path."""

from __future__ import annotations

import os
from pathlib import Path

from recjax.data.records import ABOUT
from recjax.errors import UserError, nearest
from recjax.paths import prepared_root

BUILT_IN = (
    *("globo", "grocery_store", "home_depot", "invented_catalog"),
    *("invented_catalog_tiny", "movielens_100k", "tmall"),
)
"""Data sets that recjax knows how to get."""


def place(name: str | Path) -> Path:
    """Returns the folder of a data set: a path as it is, a bare name under the cache.

    Args:
      name: "mine" is `$RECJAX_CACHE/prepared/mine`; "./mine" and "/a/mine" are paths.
    """
    text = os.fspath(name)
    if isinstance(name, Path) or os.sep in text or text in (".", ".."):
        return Path(name).expanduser()
    return prepared_root() / text


def prepared_path(name: str | Path) -> Path:
    """Returns the folder of a prepared data set.

    Args:
      name: a name or a path; see `place`.

    Raises:
      UserError: it is not prepared; names what is, and the command to prepare it.
    """
    path = place(name)
    if (path / ABOUT).is_file():
        return path
    ready = sorted(p.parent.name for p in prepared_root().glob(f"[!.]*/{ABOUT}"))
    hint = nearest(path.name, {*ready, *BUILT_IN})
    if path.name in BUILT_IN and path == place(path.name):
        hint = f" Run `recjax data prepare {path.name}` first."
    known = ", ".join(ready) or "nothing"
    raise UserError(
        f"There is no prepared data set at {path}.{hint} Prepared so far: {known}."
    )
