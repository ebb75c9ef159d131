"""What session encoders share: shifting events, pooling sessions, and their protocol.

An encoder turns a row of events into a user vector *before* each event. Its memory
holds all that it needs of what lies before the row, so rows may be cut anywhere: a
training batch, and a server that feeds one event at a time, run the same code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from flax import struct

from recjax.execution import in_parts
from recjax.typing import Array, Bool, Float, Int, Memory, Params, PRNGKey


@struct.dataclass
class Row:
    """The events of `B` rows.

    Attributes:
      event: embedding of each event's item; zeros where there is none.
      there: whether there is an event.
      slot: its session's slot.
      position: its position in the session, from 0.
      age: events of its user before it.
      filled: whether a slot holds a session.
      fresh: whether that is its user's first.
      gap: seconds between the session and the one before it, 0 if unknown.
    """

    event: Float[Array, "B L D"]
    there: Bool[Array, "B L"]
    slot: Int[Array, "B L"]
    position: Int[Array, "B L"]
    age: Int[Array, "B L"]
    filled: Bool[Array, "B S"]
    fresh: Bool[Array, "B S"]
    gap: Float[Array, "B S"]

    @classmethod
    def of(cls, batch: Mapping[str, Any], event: Array) -> Row:
        """Returns the row of a batch (`NextInSessionData.packed_arrays`)."""
        names = ("slot", "position", "age", "filled", "fresh", "gap")
        there = batch["item"] > 0
        event = jnp.where(there[..., None], event, 0.0)
        return cls(event=event, there=there, **{name: batch[name] for name in names})

    @property
    def length(self) -> Int[Array, " B"]:
        """Positions up to the last event of each row."""
        position = jnp.arange(1, self.there.shape[1] + 1, dtype=jnp.int32)
        return jnp.max(jnp.where(self.there, position, 0), 1)

    @property
    def starts(self) -> Bool[Array, "B S"]:
        """Whether a slot's session starts in this row; the first may go on instead."""
        first = jnp.arange(self.filled.shape[1]) == 0
        return self.filled & (~first | (self.position[:, :1] == 0))

    @property
    def new_user(self) -> Bool[Array, "B L"]:
        """Whether an event is its user's first."""
        return self.there & (self.age == 0)


class Encoder(Protocol):
    """A Linen module over rows."""

    @property
    def width(self) -> int:
        """Numbers of the vectors that come out."""
        ...

    def start(self, rows: int, width: int) -> Memory:
        """Returns the memory of rows that met nobody; `width` is of an embedding."""
        ...

    def init(self, rngs: Any, row: Row, memory: Memory, train: bool) -> Any:
        """Returns its variables."""
        ...

    def apply(
        self, variables: Any, row: Row, memory: Memory, train: bool, *, rngs: Any = None
    ) -> Any:
        """Returns a vector before each event [B, L, D], and the memory after all."""
        ...


def before(
    row: Row, last: Float[Array, "B D"], start: Bool[Array, "B L"]
) -> Float[Array, "B L D"]:
    """Returns the embedding of the event before each event; zeros at a start.

    Args:
      row: the events; those of a sequence may have padding between them.
      last: the event before the row.
      start: which events start a sequence.
    """
    position = jnp.arange(row.there.shape[1], dtype=jnp.int32)
    newest = jax.lax.cummax(jnp.where(row.there, position, -1), axis=1)
    newest = jnp.concatenate([jnp.full_like(newest[:, :1], -1), newest[:, :-1]], 1)
    whole = jnp.concatenate([last[:, None], row.event], 1)
    found = jnp.take_along_axis(whole, newest[..., None] + 1, 1)
    return jnp.where(start[..., None], 0.0, found)


def newest_event(row: Row, last: Float[Array, "B D"]) -> Float[Array, "B D"]:
    """Returns the last event of each row, or that before the row where it is empty."""
    whole = jnp.concatenate([last[:, None], row.event], 1)
    return jnp.take_along_axis(whole, row.length[:, None, None], 1)[:, 0]


def newest_inputs(
    buffer: Float[Array, "B R C"], x: Float[Array, "B L C"], filled: Int[Array, " B"]
) -> Float[Array, "B R C"]:
    """Returns the last `R` inputs before position `filled` of each row."""
    whole, reach = jnp.concatenate([buffer, x], 1), buffer.shape[1]
    return jax.vmap(lambda row, at: jax.lax.dynamic_slice_in_dim(row, at, reach))(
        whole, filled
    )


def of_slot(row: Row, values: Float[Array, "B S D"]) -> Float[Array, "B L D"]:
    """Returns the values of each event's session."""
    return jnp.take_along_axis(values, row.slot[..., None], 1)


def last_slot(row: Row, values: Array, empty: Array) -> Array:
    """Returns the values of each row's last session, `empty` where there is none."""
    count = jnp.sum(row.filled, 1)
    at = jnp.maximum(count - 1, 0).reshape(-1, *(1,) * (values.ndim - 1))
    found = jnp.take_along_axis(values, at, 1)[:, 0]
    return jnp.where((count > 0).reshape(-1, *(1,) * (found.ndim - 1)), found, empty)


@struct.dataclass
class Pool:
    """The events of the session that is open: their sum and number.

    Attributes:
      total: [B, D].
      count: [B].
    """

    total: Float[Array, "B D"]
    count: Float[Array, " B"]

    @classmethod
    def start(cls, rows: int, width: int) -> Pool:
        """Returns empty pools."""
        return cls(jnp.zeros((rows, width)), jnp.zeros(rows))


def pool_sessions(
    row: Row, pool: Pool
) -> tuple[Float[Array, "B S D"], Bool[Array, "B S"], Pool]:
    """Averages sessions (HierTCN eq. 10).

    Returns:
      The mean of the session *before* each slot, whether there was one (of any user),
      and the pool of the session that is open after the row.
    """
    slots = jnp.arange(row.filled.shape[1], dtype=jnp.int32)
    inside = (row.slot[..., None] == slots) & row.there[..., None]
    total = jnp.einsum("bls,bld->bsd", inside.astype(row.event.dtype), row.event)
    count = jnp.sum(inside, 1).astype(row.event.dtype)
    goes_on = (row.filled & ~row.starts)[:, :1]
    total = total.at[:, :1].add(jnp.where(goes_on[..., None], pool.total[:, None], 0.0))
    count = count.at[:, :1].add(jnp.where(goes_on, pool.count[:, None], 0.0))
    totals = jnp.concatenate([pool.total[:, None], total[:, :-1]], 1)
    counts = jnp.concatenate([pool.count[:, None], count[:, :-1]], 1)
    mean = totals / jnp.maximum(counts, 1.0)[..., None]
    total, count = (
        last_slot(row, total, pool.total),
        last_slot(row, count, pool.count),
    )
    return mean, counts > 0, Pool(total, count)


def session_rows(
    item: Int[Array, "B L"],
    position: Int[Array, "B L"],
    age: Int[Array, "B L"],
    gap: Any,
) -> dict[str, Array]:
    """Returns the arrays of rows that hold one session each, or a part of it."""
    rows = item.shape[0]
    return {
        "item": item,
        "slot": jnp.zeros(item.shape, jnp.int32),
        "position": position,
        "age": age,
        "filled": jnp.ones((rows, 1), bool),
        "fresh": age[:, :1] == position[:, :1],
        "gap": gap,
    }


def encode(
    encoder: Encoder, params: Params, row: Row, memory: Memory, key: PRNGKey | None
) -> tuple[Float[Array, "B L D"], Memory]:
    """Returns the vector before each event, and the memory after the row.

    Args:
      encoder: the encoder.
      params: its own.
      row: the events.
      memory: before the row.
      key: for dropout; None outside of training.
    """

    def part(given: tuple[Row, Memory], key: PRNGKey | None) -> Any:
        (row, held), train = given, key is not None
        rngs = {"dropout": key} if train else {}
        user, new = encoder.apply({"params": params}, row, held, train, rngs=rngs)
        # What goes on from batch to batch stays as exact as it was.
        return user, jax.tree.map(lambda a, b: a.astype(b.dtype), new, held)

    return in_parts(part, (row, memory), key)
