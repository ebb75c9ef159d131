"""Where a bundle's vectors were pushed to: what finds its items from then on.

engine.json   {"to", "collection", "digest", "columns": name -> kind, "effort"}
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from recjax import disk
from recjax.errors import UserError
from recjax.index.engine import Layout, Pushed, open_engine
from recjax.index.filters import Filter
from recjax.index.item_vectors import ItemVectors

NAME = "engine.json"


@dataclass(frozen=True)
class Place:
    """Where they are.

    Attributes:
      to: the engine, see `open_engine`.
      layout: of the collection.
      effort: partitions that a query visits.
    """

    to: str
    layout: Layout
    effort: int


def save(bundle: Path, place: Place) -> None:
    """Writes it into a bundle."""
    layout = place.layout
    told = {
        "to": place.to,
        "collection": layout.name,
        "digest": layout.digest,
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
        width = items.vectors.shape[1]
        names = told["collection"], told["digest"], width, dict(told["columns"])
        to, layout, effort = str(told["to"]), Layout(*names), int(told["effort"])
    except (LookupError, TypeError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error!r}); {fix}") from None
    opened = open_engine(to, layout)
    if opened.digest() != layout.digest or opened.count() != len(items.ids):
        raise UserError(
            f"{path}: {to} no longer holds the {len(items.ids):,} items of the bundle "
            f"as {layout.name!r}; {fix}"
        )
    return Pushed(opened, layout, effort, len(items.ids))


def filtered(bundle: Any, where: Sequence[str]) -> Callable:
    """Returns the search of an opened bundle's items that meet conditions.

    Raises:
      UserError: no engine holds them, or a condition is none.
    """
    if not isinstance(bundle.index, Pushed) or bundle.fusion is not None:
        raise UserError(
            f"{bundle.folder}: conditions such as {where[0]!r} are for an engine, and "
            "for bundles without a fusion; `recjax push` writes the vectors into one"
        )
    columns = bundle.index.layout.columns
    filters = [Filter.read(text, columns) for text in where]
    return partial(bundle.index.search, where=filters)
