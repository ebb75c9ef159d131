"""Whether a loss and a model fit: the loss returns one value an example."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from recjax.errors import UserError
from recjax.losses.base import Loss, LossValue


def checked(name: str, loss: Loss, outputs: object) -> LossValue:
    """Returns what a loss makes of a model's outputs, if that is one value an example.

    Raises:
      UserError: it is not, or the loss is one for other outputs.
    """
    where = f"losses.{name}: {type(loss).__name__}"
    try:
        got = loss(outputs)
    except ValueError as error:
        raise UserError(f"losses.{name}: {error}") from error
    except AttributeError as error:
        if error.obj is not outputs:
            raise
        raise UserError(
            f"{where} takes other outputs than this model's, which are a "
            f"{type(outputs).__name__} without {error.name!r}: take a loss for these"
        ) from error
    if not isinstance(got, LossValue):
        array = isinstance(got, jax.Array)
        what = f"an array {list(got.shape)}" if array else f"a {type(got).__name__}"
        raise UserError(
            f"{where} returned {what}: return LossValue(value, weight), a value and a "
            "weight for each example of the batch"
        )
    parts = {"value": got.value, "weight": got.weight, **got.monitors}
    shapes = {part: jnp.shape(array) for part, array in parts.items()}
    if shapes["value"] == () or len(set(shapes.values())) > 1:
        raise UserError(
            f"{where} returned shapes {shapes}: each must be [B], one figure for each "
            "example of the batch; the step takes their mean"
        )
    return got
