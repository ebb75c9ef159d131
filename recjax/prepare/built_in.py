"""Preparing the data sets that recjax knows how to get."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from recjax.data.prepared import BUILT_IN, place
from recjax.errors import UserError, nearest
from recjax.prepare.datasets import (
    foursquare_nyc,
    globo,
    grocery_store,
    home_depot,
    movielens_100k,
    tmall,
    toys,
)
from recjax.prepare.records import VERSION
from recjax.prepare.write import Data, is_prepared, write

log = logging.getLogger(__name__)
READ: Mapping[str, Callable[[], Data]] = {
    "foursquare_nyc": foursquare_nyc.data,
    "globo": globo.data,
    "grocery_store": grocery_store.data,
    "home_depot": home_depot.data,
    "movielens_100k": movielens_100k.data,
    "tmall": tmall.data,
    "toys": toys.data,
}
"""Name -> reader of the raw files."""
INVENTED = {"invented_catalog": 10_000, "invented_catalog_tiny": 600}
"""Name -> pins of an invented catalogue; half as many products."""


def prepare_built_in(name: str, *, out: str | Path | None = None) -> Path:
    """Prepares a built-in data set, or returns at once if it is prepared.

    Args:
      name: of a built-in data set, for example "movielens_100k".
      out: where to; default: under the cache by its name.

    Returns:
      The folder of the prepared data set.

    Raises:
      UserError: no such data set, its raw files cannot be had, or `out` not written.
    """
    if name not in BUILT_IN:
        raise UserError(
            f"There is no built-in data set {name!r}; there are "
            f"{', '.join(BUILT_IN)}.{nearest(name, BUILT_IN)} For your own files use "
            "`recjax data prepare --events FILE --out NAME`."
        )
    out = name if out is None else out
    if name in INVENTED:
        # Here, for inventing needs JAX's random keys, and preparing does not.
        from recjax.prepare.invented import prepare_invented, sized

        return prepare_invented(sized(INVENTED[name]), out)
    path, source = place(out), {"name": name, "version": VERSION}
    if is_prepared(path, source):
        return path
    log.info("Preparing %s in %s", name, path)
    command = f"recjax data prepare {name}"
    return write(READ[name](), path, source=source, command=command)
