"""Tables of towers: what an experiment says of them, and what towers read of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from recjax.errors import UserError, nearest
from recjax.features import Feature, Features, IdFeature, Names, unread
from recjax.models.base import RowIds, TableRows, TableSpec
from recjax.nn.tower import Tower
from recjax.typing import Array, Batch, PRNGKey


@dataclass(frozen=True)
class Table:
    """What an experiment says of an embedding table.

    Attributes:
      width: `D`.
      scale: standard deviation of the starting values.
      rows: `V` with row 0 for padding; None takes as many as its inputs need.
      from_weight: start from the feature's weights (IDF) instead, in every column.
      from_vectors: start from the feature's vectors instead.
      distinct: see `TableSpec`.
    """

    width: int
    scale: float = 0.05
    rows: int | None = None
    from_weight: bool = False
    from_vectors: bool = False
    distinct: int | None = None


def specs(
    tables: Mapping[str, Table], users: Iterable[tuple[str, Tower, Features]]
) -> dict[str, TableSpec]:
    """Returns the tables, each as tall as the largest feature that uses it.

    Args:
      tables: name -> table.
      users: (side, its tower, its features).

    Raises:
      ValueError: a tower names a table or feature that does not exist, nobody uses a
        table, or it has too few rows.
      UserError: an encoder has no vector for every id of its feature.
    """
    tallest: dict[str, tuple[int, IdFeature]] = {}
    named: dict[str, list[Names | None]] = {name: [] for name in tables}
    for side, tower, features in users:
        read = set()
        for name, module in tower.uses(train=False).values():
            age = getattr(module, "age", None)
            both = (name,) if age is None else (name, age)
            read.update(both)
            for wanted in both:
                if wanted not in features:
                    raise ValueError(
                        f"the {side} tower wants feature {wanted!r}, the data has "
                        f"{sorted(features)}." + nearest(wanted, features)
                    )
            feature = features[name]
            if hasattr(module, "check"):
                module.check(name, feature)
            for table, rows in _heights(side, name, module, feature).items():
                if table not in tables:
                    raise ValueError(
                        f"the {side} tower's input {name!r} names no table {table!r} "
                        f"of model.tables: {sorted(tables)}." + nearest(table, tables)
                    )
                assert isinstance(feature, IdFeature)  # Only these have heights.
                known = tallest.setdefault(table, (rows, feature))
                tallest[table] = max(known, (rows, feature), key=lambda one: one[0])
                # A hashed row stands for no one name.
                also = [None] if rows != feature.rows else []
                named[table] += [feature.names, *also]
        if lost := unread(features, read):
            raise ValueError(
                f"data.columns names {', '.join(map(repr, lost))}, which the {side} "
                "tower does not read: give it inputs of these names, or leave them out"
            )
    for name, table in tables.items():
        if name not in tallest:
            raise ValueError(f"no tower uses table {name!r}; remove it")
        if table.rows is not None and table.rows < tallest[name][0]:
            raise ValueError(
                f"table {name!r} has rows={table.rows}, its inputs need "
                f"{tallest[name][0]}: leave rows out"
            )
    return {
        name: TableSpec(
            table.rows or tallest[name][0],
            table.width,
            partial(_start, table=table, feature=tallest[name][1], name=name),
            table.distinct,
            tuple(dict.fromkeys(named[name])),
        )
        for name, table in tables.items()
    }


def embedding_width(tower: Tower, tables: Mapping[str, Table]) -> int | None:
    """Returns how long a tower's embeddings are, None where only running it tells."""
    frozen = [getattr(module, "of", module) for module in tower.frozen_inputs.values()]
    if not all(hasattr(module, "table") for module in frozen):
        return None
    widths = (getattr(one, "width", tables[one.table].width) for one in frozen)
    return tower.width + sum(widths)


def row_ids(tower: Tower, use_as: str, features: Batch, train: bool) -> RowIds:
    """Names the rows that a tower needs for the features of one pass.

    Args:
      tower: the tower.
      use_as: name of the pass, which `taken` finds again.
      features: feature name -> array [B, ...].
      train: without the fixed part, which training does not see.
    """
    named: dict[str, dict[str, Array]] = {}
    for use, (name, module) in tower.uses(train).items():
        for table, ids in module.row_ids(features[name]).items():
            named.setdefault(table, {})[f"{use_as}/{use}"] = ids
    return named


def taken(
    tower: Tower, use_as: str, rows: Mapping[str, TableRows], train: bool
) -> dict[str, dict[str, tuple[Array, Array]]]:
    """Returns use -> table -> (distinct rows, index), as a tower takes them."""
    return {
        use: {
            table: (got.values, got.index[f"{use_as}/{use}"])
            for table, got in rows.items()
            if f"{use_as}/{use}" in got.index
        }
        for use in tower.uses(train)
    }


def _heights(side: str, name: str, module: Any, feature: Feature) -> Mapping[str, int]:
    """Returns how many rows of each table an input may name."""
    named = module.row_ids(np.zeros((1, 1), np.int32))
    if not named:
        return {}
    if not isinstance(feature, IdFeature):
        raise ValueError(
            f"the {side} tower's input {name!r} looks up rows of {sorted(named)}; the "
            f"feature holds no ids but is a {feature}"
        )
    heights = dict.fromkeys(named, feature.rows)
    return heights | getattr(module, "own_heights", {})


def _start(
    key: PRNGKey, shape: tuple[int, int], table: Table, feature: IdFeature, name: str
) -> Array:
    if table.from_weight:
        given = None
        if feature.weight is not None:
            given = np.repeat(feature.weight[:, None], table.width, 1)
    elif table.from_vectors:
        given = feature.vectors
    else:
        return table.scale * jax.random.normal(key, shape)
    if given is None or given.shape != shape:
        found = "nothing" if given is None else list(given.shape)
        raise UserError(
            f"table {name!r} starts from what the data knows of its ids: wanted "
            f"{list(shape)}, the feature gives {found}"
        )
    return jnp.asarray(given)
