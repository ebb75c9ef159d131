"""What columns of items, events and users add to their vectors in a session model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recjax import rng
from recjax.features import Features, unread
from recjax.models import tables
from recjax.models.base import RowIds, TableRows, TableSpec
from recjax.models.tables import Table
from recjax.nn.tower import Tower
from recjax.typing import Array, Batch, Float, Params, PRNGKey

Towers = Mapping[str, Tower]
"""Use of columns ("own", "drawn", "shown", "item"; "event"; "user") -> their tower."""
TOWER = dict.fromkeys(("own", "drawn", "shown"), "item_tower") | {
    "event": "event_tower",
    "user": "user_tower",
}
"""Use of columns -> the parameters of their tower."""


def columns_of(use: str) -> str:
    """Returns where a batch carries the columns of a use."""
    return f"{use}_columns"


def specs(
    known: Mapping[str, Table],
    towers: Mapping[str, tuple[Tower | None, Features]],
    width: int,
) -> dict[str, TableSpec]:
    """Returns the tables that towers over columns want.

    Args:
      known: name -> table.
      towers: setting of the model -> its tower, and the features that it may read.
      width: of items' vectors.

    Raises:
      ValueError: a tower has another width, or nobody reads a column.
    """
    users = []
    for name, (tower, features) in towers.items():
        if tower is None:
            if lost := unread(features, ()):
                raise ValueError(
                    f"data.columns names {', '.join(map(repr, lost))}, which nothing "
                    f"reads: give model.{name} a tower over them"
                )
            continue
        if tower.width != width or tower.frozen_inputs or tower.normalize:
            raise ValueError(
                f"model.{name} is added to vectors of {width}: give it width={width}, "
                "normalize=False and no frozen_inputs"
            )
        users.append((name, tower, features))
    return tables.specs(known, users)


def row_ids(towers: Towers, batch: Batch) -> RowIds:
    """Names the rows that the columns of some uses need."""
    named: dict[str, dict[str, Array]] = {}
    for use, tower in towers.items():
        features = _flat(batch[columns_of(use)])
        for table, ids in tables.row_ids(tower, use, features, train=True).items():
            named.setdefault(table, {}).update(ids)
    return named


def init(
    tower: Tower, use: str, rows: Mapping[str, TableRows], batch: Batch, key: PRNGKey
) -> Any:
    """Returns the parameters of a tower."""
    keys = {"params": rng.stream(key, use), "dropout": key}
    taken = tables.taken(tower, use, rows, train=True)
    features = _flat(batch[columns_of(use)])
    return tower.init(keys, features, taken, train=True).get("params", {})


def vectors(
    tower: Tower,
    params: Any,
    rows: Mapping[str, TableRows],
    use: str,
    features: Batch,
    key: PRNGKey | None,
) -> Float[Array, "... D"]:
    """Returns what columns [..., L] add; `key` is of training, None for serving."""
    train = key is not None
    rngs = {"dropout": rng.stream(key, use)} if key is not None else {}
    taken = tables.taken(tower, use, rows, train)
    found: Any = tower.apply(
        {"params": params}, _flat(features), taken, train=train, rngs=rngs
    )
    first = next(iter(features.values()))
    return found.reshape(*first.shape[:-1], -1)


def each(
    towers: Towers,
    params: Params,
    rows: Mapping[str, TableRows],
    batch: Batch,
    key: PRNGKey | None,
) -> Iterator[Float[Array, "... D"]]:
    """Yields what the columns of each use add; see `vectors`."""
    for use, tower in towers.items():
        features = batch[columns_of(use)]
        yield vectors(tower, params[TOWER[use]], rows, use, features, key)


def _flat(features: Batch) -> dict[str, Array]:
    return {name: a.reshape(-1, a.shape[-1]) for name, a in features.items()}
