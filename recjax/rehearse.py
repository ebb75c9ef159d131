"""Whether model, data and losses fit, from shapes alone: nothing is compiled."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from recjax import pytree, rng
from recjax.errors import UserError
from recjax.losses.base import Loss
from recjax.losses.check import checked
from recjax.models.base import Model, TableRows, TableSpec
from recjax.optim.optimizer import Optimizer
from recjax.shown import Shown, table

ROWS = 2
"""Distinct rows of a table, for shapes."""


def rehearse(
    data: Any,
    seed: int,
    model: Model,
    losses: Mapping[str, Loss],
    optimizer: Optimizer,
) -> Shown:
    """Returns what a training step is made of: tables, dense parameters, the batch.

    Args:
      data: knows how to open the data set (`recjax.data.dataset.Source`).
      seed: of the run.
      model: the model.
      losses: name -> loss.
      optimizer: rules by parameter path.

    Raises:
      UserError: the data is not prepared, or the parts do not fit: which tower, table
        or loss, and what to do.
    """
    if not hasattr(data, "open"):
        raise UserError(
            f"data: a {type(data).__name__} is no data of an experiment; take "
            "rj.data.NextItem(...), Search, NextInSession, CatalogSearch or Images"
        )
    if getattr(data, "views", 0):
        raise UserError(
            "data.views: views are made before shapes are known; check with 0"
        )
    opened = data.open(seed)
    with_model = _Blame("model")
    with with_model:
        specs = model.table_specs(opened.sides)
    batch = jax.tree.map(_shape, opened.batch(0))
    with with_model:
        key = jax.eval_shape(lambda: rng.root(seed))
        uses = jax.eval_shape(model.rows, batch)
        params, memory = jax.eval_shape(
            lambda key, uses, batch: model.init(key, _rows(specs, uses), batch),
            *(key, uses, batch),
        )
        outputs = jax.eval_shape(
            lambda params, uses, batch, memory, key: model.apply(
                params, _rows(specs, uses), batch, memory, key
            )[0],
            *(params, uses, batch, memory, key),
        )
    for name, loss in losses.items():
        with _Blame(f"losses.{name}"):
            jax.eval_shape(
                lambda given, n=name, one=loss: checked(n, one, given), outputs
            )
    with _Blame("optimizer"):
        for name in specs:
            optimizer.row_rule(name)
        jax.eval_shape(lambda given: optimizer.dense(given, 1).init(given), params)
    return Shown(_told(specs, params, batch))


class _Blame:
    """Tells what is wrong with a part as a `UserError`."""

    def __init__(self, part: str) -> None:
        self._part = part

    def __enter__(self) -> None:
        """Does nothing."""

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        """Raises what a person can do something with."""
        if error is None or isinstance(error, UserError):
            return
        if isinstance(error, Exception):
            modules = [
                frame.f_locals["self"]
                for frame, _ in traceback.walk_tb(trace)
                if isinstance(frame.f_locals.get("self"), nn.Module)
            ]
            named = [m.name for m in modules if m.name]
            where = f", in {'/'.join(dict.fromkeys(named))}" if named else ""
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            if ";" not in reason:  # It says no fix.
                reason += "; look at the widths, which must fit, in print(experiment)"
            raise UserError(f"{self._part}{where}: {reason}") from error


def _rows(
    specs: Mapping[str, TableSpec], uses: Mapping[str, Any]
) -> dict[str, TableRows]:
    return {
        name: TableRows(
            jnp.zeros((ROWS, specs[name].width)), jax.tree.map(jnp.zeros_like, use)
        )
        for name, use in uses.items()
    }


def _shape(array: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(array.shape, array.dtype)


def _told(specs: Mapping[str, TableSpec], params: Any, batch: Any) -> str:
    rows = [("table", n, f"{s.rows:,} x {s.width}") for n, s in specs.items()]
    rows += [("dense", n, _size(leaf.shape)) for n, leaf in pytree.named_leaves(params)]
    rows += [("batch", n, _size(leaf.shape)) for n, leaf in pytree.named_leaves(batch)]
    return f"model, data and losses fit\n{table(rows)}"


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(f"{one:,}" for one in shape) or "scalar"
