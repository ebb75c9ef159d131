"""Where a bundle's vectors were pushed to: what finds its items from then on.

engine.json   {"to", "collection", "vectors": digest, "columns": name -> kind, "effort"}
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from recjax import disk
from recjax.errors import UserError
from recjax.index.engine import Layout, Pushed
from recjax.index.engines import open_engine
from recjax.index.filters import read_all
from recjax.index.item_vectors import ItemVectors

NAME = "engine.json"


@dataclass(frozen=True)
class Place:
    """Where they are.

    Attributes:
      to: the engine, see `open_engine`.
      layout: of the collection.
      effort: partitions that a query visits.
      digest: of the vectors.
    """

    to: str
    layout: Layout
    effort: int
    digest: str


def save(bundle: Path, place: Place) -> None:
    """Writes it into a bundle."""
    layout = place.layout
    told = {
        "to": place.to,
        "collection": layout.name,
        "vectors": place.digest,
        "columns": dict(layout.columns),
        "effort": place.effort,
    }
    disk.write_text(bundle / NAME, json.dumps(told, indent=1) + "\n")


def load(bundle: Path, items: ItemVectors) -> Pushed | None:
    """Opens what a bundle was pushed to; None where it was not.

    Raises:
      UserError: the file is damaged, or the engine holds other vectors, or not all.
    """
    path = bundle / NAME
    if not path.is_file():
        return None
    fix = "push the bundle again, or delete the file to search without an engine"
    told = disk.read_json(path, fix)
    try:
        columns, width = dict(told["columns"]), items.vectors.shape[1]
        layout = Layout(str(told["collection"]), width, columns)
        to, effort, digest = str(told["to"]), int(told["effort"]), told["vectors"]
    except (LookupError, TypeError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error!r}); {fix}") from None
    if digest != items.digest:
        raise UserError(f"{path} is of other vectors than the bundle's; {fix}")
    opened, size = open_engine(to, layout), len(items.ids)
    if not opened.exists() or opened.count() != size:
        raise UserError(f"{path}: {to} does not hold all {size:,} items; {fix}")
    return Pushed(opened, layout, effort, len(items.ids))


def filtered(index: Pushed, where: str | Sequence[str]) -> Callable:
    """Returns the search of items that meet conditions, in an engine.

    Raises:
      UserError: a condition is none.
    """
    return partial(index.search, where=read_all(where, index.layout.columns))
