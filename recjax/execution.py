"""How a step computes what it computes: in parts, twice, or with half the bits.

A step says once, around the model and the losses, what `Runtime` asks for
(`executing`); the parts that can, ask here: networks whose rows do not know each other
(`in_parts`), their blocks (`block`), their products (`dtype`), and softmax losses
(`softmax_rows`). Losses always see the outputs of the whole batch, so that in-batch
negatives stay those of the whole batch, however many parts it is computed in (the two
passes of Gao et al. 2021, "Scaling deep contrastive learning batch size under memory
limited setup").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

from recjax.errors import UserError
from recjax.typing import Array, PRNGKey

BLOCK = "block"
Activations = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Execution:
    """What is asked for; the attributes are those of `Runtime`.

    Attributes:
      micro_batches: parts in which networks go over the rows of a batch.
      remat: keep what blocks give, and compute again what is inside them.
      softmax_rows: rows whose logits are in memory at a time; 0 for all.
      activations: type of what layers give in training.
    """

    micro_batches: int = 1
    remat: bool = False
    softmax_rows: int = 0
    activations: Activations = "float32"

    def asked(self) -> list[str]:
        """Returns the names of what is not as it is by default."""
        plain = Execution()
        names = (one.name for one in fields(self))
        return [n for n in names if getattr(self, n) != getattr(plain, n)]


PLAIN = Execution()
_MISSED = {
    "micro_batches": "the model has no rows to divide: wrap its network in "
    "`recjax.execution.in_parts`",
    "remat": "the model marks no blocks: mark what they give by "
    "`recjax.execution.block`, inside of `in_parts`",
    "softmax_rows": "no loss here compares rows with the columns of a batch, as "
    "SampledSoftmax and ItemSoftmax do; micro_batches may save memory",
    "activations": "no layer of this model has another type: give its products "
    "`recjax.execution.dtype()`",
}


@dataclass
class _Now:
    execution: Execution = PLAIN
    met: set[str] = field(default_factory=set)
    inside: bool = False


_NOW: ContextVar[_Now | None] = ContextVar("execution", default=None)


@contextmanager
def executing(execution: Execution) -> Iterator[None]:
    """Asks for an execution while a model and its losses are traced.

    Raises:
      UserError: nothing in them does what is asked for.
    """
    now = _Now(execution)
    token = _NOW.set(now)
    try:
        yield
    finally:
        _NOW.reset(token)
    for name in execution.asked():
        if name not in now.met:
            value = getattr(execution, name)
            raise UserError(f"runtime.{name} = {value}: {_MISSED[name]}")


def _now() -> _Now:
    return _NOW.get() or _Now()


def in_parts(
    function: Callable[[Any, PRNGKey | None], Any], rows: Any, key: PRNGKey | None
) -> Any:
    """Returns `function(rows, key)`, computed in micro-batches where that is asked for.

    On the way back each micro-batch is computed again, so that the activations of one
    are in memory; gradients add up in their own type. Of several devices, each has its
    part of each micro-batch.

    Args:
      function: of a tree of arrays [n, ...], and a key; returns arrays [n, ...]. A
        row's result depends on that row alone.
      rows: arrays [B, ...].
      key: for dropout: each micro-batch has a key of its own. None for none.

    Raises:
      UserError: the micro-batches do not divide the rows.
    """
    now = _now()
    now.met.add("micro_batches")
    if now.execution.remat:
        function = jax.checkpoint(
            function, policy=jax.checkpoint_policies.save_only_these_names(BLOCK)
        )
    before, now.inside = now.inside, True
    try:
        return _in_parts(function, rows, key, now.execution.micro_batches)
    finally:
        now.inside = before


def _in_parts(function: Callable, rows: Any, key: PRNGKey | None, parts: int) -> Any:
    if parts == 1:
        return function(rows, key)
    count = jax.tree.leaves(rows)[0].shape[0]
    if count % parts:
        raise UserError(
            f"runtime.micro_batches = {parts} does not divide {count} rows that the "
            "model embeds at a time: take a divisor, or another data.batch_size"
        )

    def one(at: tuple[Any, Array]) -> Any:
        part, number = at
        own = None if key is None else jax.random.fold_in(key, number)
        return function(part, own)

    apart = jax.tree.map(
        lambda x: x.reshape(count // parts, parts, *x.shape[1:]).swapaxes(0, 1), rows
    )
    done = jax.lax.map(jax.checkpoint(one), (apart, jnp.arange(parts)))
    return jax.tree.map(lambda x: x.swapaxes(0, 1).reshape(count, *x.shape[2:]), done)


def block(x: Array) -> Array:
    """Marks what a block of a network gives: with `remat` it is what is kept."""
    now = _now()
    if now.inside:
        now.met.add("remat")
    return checkpoint_name(x, BLOCK)


def softmax_rows() -> int:
    """Returns how many rows' logits a softmax over the batch holds; 0 for all."""
    now = _now()
    now.met.add("softmax_rows")
    return now.execution.softmax_rows


def dtype() -> jnp.dtype:
    """Returns the type that products are made in; they add up in float32."""
    now = _now()
    now.met.add("activations")
    return jnp.dtype(now.execution.activations)


def product(x: Array, kernel: Array) -> Array:
    """Returns `x @ kernel` of the type of activations, added up in float32."""
    made = dtype()
    found = jnp.matmul(
        x.astype(made), kernel.astype(made), preferred_element_type=jnp.float32
    )
    return found.astype(made)
