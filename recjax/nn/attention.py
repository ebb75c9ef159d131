"""Transformers over a user's events, in windows: SASRec, a gated one, and HSTU.

W. Kang, J. McAuley: "Self-Attentive Sequential Recommendation", 2018. J. Zhai et al.:
"Actions Speak Louder than Words: Trillion-Parameter Sequential Transducers for
Generative Recommendations", 2024 (HSTU). Positions are relative, so that a row may be
cut anywhere: keys and values of the last events before it are its memory, and a server
that feeds one event at a time computes what training did.
"""

from __future__ import annotations

from typing import Literal, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import struct

from recjax.execution import block, dtype
from recjax.nn.hier import flat_start, output
from recjax.nn.session import Row, before, newest_event, newest_inputs, of_slot
from recjax.seconds import MINUTE
from recjax.typing import Array, Bool, Float, Int, Memory

Block = Literal["sasrec", "gated", "hstu"]
BUCKETS = 24
"""Of the time between two events: doubling from a minute to half a century."""
_HIDDEN = -1e30


@struct.dataclass
class Seen:
    """Which keys each event sees: chunks of `C` events, each with `K` keys.

    Attributes:
      keys: place of each key among memory and row, i32[chunks, K].
      back: how many events a key lies back, i32[C, K].
      there: whether it is seen, bool[B, chunks, C, K].
      minutes: of the time between [B, chunks, C, K]; None where times do not count.
    """

    keys: Int[Array, "N K"]
    back: Int[Array, "C K"]
    there: Bool[Array, "B N C K"]
    minutes: Float[Array, "B N C K"] | None


class FlatAttention(nn.Module):
    """A transformer over the events of a user. Rows hold no padding but at their end.

    Attributes:
      width: of the vectors that come out.
      size: `D` inside.
      layers: number of layers.
      heads: attention heads; they divide `size`.
      window: events that one sees, itself among them.
      block: "sasrec" adds softmax attention and a ReLU layer; "gated" weighs each by a
        sigmoid of its input and has a gated (SwiGLU) layer, as LiGR and eSASRec;
        "hstu" has one pointwise attention with SiLU in place of the softmax.
      times: the time between two events' sessions joins their relative position.
      feed_forward: width of the hidden layers over `size`; "hstu" has none.
      hidden: width of the output's hidden layer; 0 for one linear layer.
      dropout: on embeddings, in blocks and before the output.
    """

    width: int
    size: int = 64
    layers: int = 2
    heads: int = 2
    window: int = 50
    block: Block = "sasrec"
    times: bool = False
    feed_forward: int = 1
    hidden: int = 0
    dropout: float = 0.0
    padded_rows = False

    @nn.nowrap
    def start(self, rows: int, width: int) -> Memory:
        """Returns the memory of rows that met nobody.

        Raises:
          ValueError: a setting has no meaning.
        """
        self._check()
        reach = self.window - 1
        held = {
            f"layer_{i}": jnp.zeros((rows, reach, 2 * self.size))
            for i in range(self.layers)
        }
        clock = {"clock": jnp.zeros((rows, reach, 1))} if self.times else {}
        return {**held, **clock, "last": jnp.zeros((rows, width))}

    @nn.compact
    def __call__(
        self, row: Row, memory: Memory, train: bool
    ) -> tuple[Float[Array, "B L D"], Memory]:
        """Returns a vector before each event, and the memory after the row."""
        drop = nn.Dropout(self.dropout, deterministic=not train)
        item = before(row, memory["last"], row.new_user)
        x = jnp.concatenate([item, flat_start(row)], -1)
        x = drop(_dense(self.size, "join")(x))
        clock = _clock(row) if self.times else None
        seen = _seen(row, self.window, clock, memory.get("clock"))
        kept = {"last": newest_event(row, memory["last"])}
        for i in range(self.layers):
            name = f"layer_{i}"
            layer = _Layer(
                *(self.size, self.heads, self.window, self.block),
                *(self.feed_forward, self.dropout),
                name=name,
            )
            x, inputs = layer(x, memory[name], seen, train)
            x = block(x)
            kept[name] = newest_inputs(memory[name], inputs, row.length)
        if clock is not None:
            newest = newest_inputs(memory["clock"], clock, row.length)
            kept["clock"] = newest - _last(clock, row.length)
        return output(drop(nn.LayerNorm(name="norm")(x)), self.width, self.hidden), kept

    @nn.nowrap
    def _check(self) -> None:
        if self.size % self.heads:
            raise ValueError(f"{self.heads} heads do not divide size {self.size}")
        if self.block not in get_args(Block):
            raise ValueError(f"block {self.block!r}: take one of {get_args(Block)}")
        if self.window < 1:
            raise ValueError(f"window {self.window}: an event sees itself at least")


class _Layer(nn.Module):
    """Attention, and what follows it."""

    size: int
    heads: int
    window: int
    block: Block
    feed_forward: int
    dropout: float

    @nn.compact
    def __call__(
        self, x: Float[Array, "B L D"], held: Array, seen: Seen, train: bool
    ) -> tuple[Float[Array, "B L D"], Float[Array, "B L 2D"]]:
        """Returns the new vectors, and keys and values of the row."""
        size, heads, window = self.size, self.heads, self.window
        drop = nn.Dropout(self.dropout, deterministic=not train)
        hstu = self.block == "hstu"
        made = _dense((4 if hstu else 3) * size, "attend")(nn.LayerNorm(name="norm")(x))
        made = nn.silu(made) if hstu else made
        query, inputs = made[..., :size], made[..., size : 3 * size]
        whole = jnp.concatenate([held.astype(inputs.dtype), inputs], 1)
        bias = _Bias(heads, window, name="bias")(seen)
        found = _attend(query, whole, seen, bias, heads, hstu, window)
        if hstu:
            found = nn.LayerNorm(name="found_norm")(found) * made[..., 3 * size :]
            return x + drop(_dense(size, "out")(found)), inputs
        x = self._add(x, drop(_dense(size, "out")(found)), "gate_attend")
        y, wide = nn.LayerNorm(name="deep_norm")(x), self.feed_forward * size
        if self.block == "gated":
            both = _dense(2 * wide, "deep_in")(y)
            y = nn.silu(both[..., :wide]) * both[..., wide:]
        else:
            y = nn.relu(_dense(wide, "deep_in")(y))
        y = drop(_dense(size, "deep_out")(drop(y)))
        return self._add(x, y, "gate_deep"), inputs

    def _add(self, x: Array, new: Array, name: str) -> Array:
        if self.block == "gated":
            new = new * nn.sigmoid(_dense(self.size, name)(x))
        return x + new


def _dense(width: int, name: str) -> nn.Dense:
    """Returns a dense layer of the type of activations."""
    return nn.Dense(width, dtype=dtype(), name=name)


class _Bias(nn.Module):
    """What distance and time between two events add to a logit [B, N, H, C, K]."""

    heads: int
    window: int

    @nn.compact
    def __call__(self, seen: Seen) -> Array:
        start = nn.initializers.normal(0.02)
        near = self.param("near", start, (self.window, self.heads))
        bias = jnp.asarray(near)[jnp.clip(seen.back, 0, self.window - 1)].transpose(
            2, 0, 1
        )
        if seen.minutes is None:
            return bias
        lately = self.param("lately", start, (BUCKETS, self.heads))
        place = jnp.log2(1 + jnp.maximum(seen.minutes, 0)).astype(jnp.int32)
        found = jnp.asarray(lately)[jnp.minimum(place, BUCKETS - 1)]
        return bias + found.transpose(0, 1, 4, 2, 3)


def _attend(
    query: Float[Array, "B L D"],
    whole: Float[Array, "B R 2D"],
    seen: Seen,
    bias: Array,
    heads: int,
    pointwise: bool,
    window: int,
) -> Float[Array, "B L D"]:
    """Returns the values that each event attends to.

    Floor: 4 B L (window + C) D FLOPs, of which the half is masked at `C` = window.
    """
    batch, length, size = query.shape
    (chunks, reach), chunk = seen.keys.shape, seen.back.shape[0]
    query = jnp.pad(query, ((0, 0), (0, chunks * chunk - length), (0, 0)))
    split = (heads, size // heads)
    query = query.reshape(batch, chunks, chunk, *split)
    taken = whole[:, seen.keys.reshape(-1)].reshape(batch, chunks, reach, 2, *split)
    key, value = taken[..., 0, :, :], taken[..., 1, :, :]
    logits = jnp.einsum(
        "bnqhd,bnkhd->bnhqk", query, key, preferred_element_type=jnp.float32
    )
    logits = logits * split[1] ** -0.5 + bias
    there = seen.there[:, :, None]
    if pointwise:
        weights = jnp.where(there, nn.silu(logits), 0.0) / window
    else:
        weights = jax.nn.softmax(jnp.where(there, logits, _HIDDEN))
    found = jnp.einsum("bnhqk,bnkhd->bnqhd", weights.astype(value.dtype), value)
    return found.reshape(batch, chunks * chunk, size)[:, :length]


def _seen(row: Row, window: int, clock: Array | None, held: Array | None) -> Seen:
    """Returns which events each event sees: those of its user in the window."""
    length, reach = row.there.shape[1], window - 1
    chunk = min(window, length)
    chunks = -(-length // chunk)
    first = chunk * jnp.arange(chunks)[:, None]
    # Places behind the row's end are padding that nobody sees.
    keys = jnp.minimum(first + jnp.arange(reach + chunk), reach + length - 1)
    back = jnp.arange(chunk)[:, None] + reach - jnp.arange(reach + chunk)
    age = jnp.pad(row.age, ((0, 0), (0, chunks * chunk - length)))
    age = age.reshape(age.shape[0], chunks, chunk, 1)
    there = (back >= 0) & (back < window) & (back <= age)
    if clock is None or held is None:
        return Seen(keys, back, there, None)
    times = jnp.concatenate([held, clock], 1)[..., 0]
    own = first + reach + jnp.arange(chunk)
    own = times[:, jnp.minimum(own, reach + length - 1)]
    between = own[..., None] - times[:, keys][:, :, None]
    return Seen(keys, back, there, between / MINUTE)


def _clock(row: Row) -> Float[Array, "B L 1"]:
    """Returns seconds from the start of the row to each event's session."""
    gap = jnp.where(row.starts & ~row.fresh, row.gap, 0.0)
    return of_slot(row, jnp.cumsum(gap, 1)[..., None])


def _last(clock: Float[Array, "B L 1"], length: Int[Array, " B"]) -> Array:
    """Returns the clock of each row's last event, 0 where it has none."""
    whole = jnp.concatenate([jnp.zeros_like(clock[:, :1]), clock], 1)
    return jnp.take_along_axis(whole, length[:, None, None], 1)
