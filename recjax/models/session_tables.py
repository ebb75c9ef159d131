"""The tables of a session model, and the rows that it names of them."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from recjax.features import DenseFeature, IdFeature, Sides, of_kind
from recjax.models import session_columns
from recjax.models.base import RowIds, TableSpec
from recjax.typing import Array, PRNGKey

ITEM, TARGET, BIAS = "item", "target", "bias"


def specs(model: Any, sides: Sides) -> dict[str, TableSpec]:
    """Returns the tables, a row an item, and those of columns; row 0 is none.

    Args:
      model: the `SessionModel`.
      sides: the features of the data.

    Raises:
      ValueError: see `SessionModel.table_specs`.
    """
    if model.encoder.width != model.width:
        raise ValueError(
            f"the encoder gives vectors of {model.encoder.width}, items have "
            f"{model.width}: set model.width and model.encoder.width alike"
        )
    items = sides["candidate"]
    rows = of_kind(items, "item", IdFeature).rows
    normal = partial(_normal, scale=model.start)
    fixed = of_kind(items, "vector", DenseFeature) if "vector" in items else None
    if fixed is not None and (fixed.width != model.width or not model.tied):
        raise ValueError(
            f"items have fixed vectors of {fixed.width}, the model has width "
            f"{model.width} and tied={model.tied}: set model.width and "
            f"model.encoder.width to {fixed.width}, and model.tied to true"
        )
    towers = {
        "item": (model.item, items),
        "event": (model.event, sides["query"]),
        "user": (model.user, sides["user"]),
    }
    specs = session_columns.specs(model.tables, towers, model.width)
    if taken := specs.keys() & {ITEM, TARGET, BIAS}:
        raise ValueError(f"model.tables: {sorted(taken)} are the model's own names")
    if fixed is None:
        specs[ITEM] = TableSpec(rows, model.width, normal)
    if not model.tied:
        specs[TARGET] = TableSpec(rows, model.width, normal)
    if model.bias:
        specs[BIAS] = TableSpec(rows, 1, lambda key, shape: jnp.zeros(shape))
    return specs


def merged(*parts: RowIds) -> RowIds:
    """Returns the rows that several parts name."""
    found: dict[str, dict[str, Array]] = {}
    for part in parts:
        for table, uses in part.items():
            found.setdefault(table, {}).update(uses)
    return found


def _normal(key: PRNGKey, shape: tuple[int, int], scale: float) -> Array:
    return scale * jax.random.normal(key, shape)
