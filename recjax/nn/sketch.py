"""Counts of a stream of ids in fixed memory: the count-min sketch.

G. Cormode, S. Muthukrishnan, "An improved data stream summary: the count-min sketch and
its applications", 2005: an estimate is never below the true count, and above it by more
than `e / width` of all counts with probability at most `exp(-depth)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from flax import struct

from recjax.typing import Array, Float, Int

WORD = 32


@struct.dataclass
class Counts:
    """What a sketch has seen; a model keeps it in its memory.

    Attributes:
      cells: u32 [depth, width].
      total: how many ids were added, u32 [2]: the lower and the upper half.
    """

    cells: Array
    total: Array


@dataclass(frozen=True)
class CountMin:
    """Settings of a sketch.

    Attributes:
      width: cells of a row, a power of two.
      depth: rows, each with a hash of its own.
      seed: of the hashes. They are part of what is counted: the same on all devices.
    """

    width: int = 1 << 20
    depth: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        """Checks the sizes.

        Raises:
          ValueError: a width that is no power of two, or no depth.
        """
        if self.width < 2 or self.width & (self.width - 1) or self.depth < 1:
            raise ValueError(f"a sketch of {self.depth} rows of {self.width} cells")

    def empty(self) -> Counts:
        """Returns the counts of nothing."""
        cells = jnp.zeros((self.depth, self.width), jnp.uint32)
        return Counts(cells, jnp.zeros(2, jnp.uint32))

    def add(self, counts: Counts, ids: Int[Array, " n"]) -> Counts:
        """Counts ids, each as often as it stands there.

        Cost: `depth x n` cells, whatever the width, where `counts` is donated.
        """
        row = jnp.arange(self.depth)[:, None]
        cells = counts.cells.at[row, self._cell(ids)].add(jnp.uint32(1))
        low = counts.total[0] + jnp.uint32(ids.size)
        high = counts.total[1] + (low < counts.total[0]).astype(jnp.uint32)
        return Counts(cells, jnp.stack([low, high]))

    def estimate(self, counts: Counts, ids: Int[Array, " n"]) -> Float[Array, " n"]:
        """Returns how often each id was added, or somewhat more."""
        row = jnp.arange(self.depth)[:, None]
        return counts.cells[row, self._cell(ids)].min(0).astype(jnp.float32)

    def log_share(self, counts: Counts, ids: Int[Array, " n"]) -> Float[Array, " n"]:
        """Returns log of each id's share of all that was added; ids were added."""
        seen = jnp.maximum(self.estimate(counts, ids), 1)
        low, high = counts.total.astype(jnp.float32)
        return jnp.log(seen) - jnp.log(high * 2.0**WORD + low)

    def _cell(self, ids: Int[Array, " n"]) -> Int[Array, "depth n"]:
        # Multiply-shift (Dietzfelbinger et al. 1997) of well mixed words: the high bits
        # of an odd multiple.
        random = np.random.default_rng(self.seed)
        odd = random.integers(0, 2**WORD, self.depth, np.uint32) | np.uint32(1)
        shift = random.integers(0, 2**WORD, self.depth, np.uint32)
        word = mixed(ids.astype(jnp.uint32))[None] * odd[:, None] + shift[:, None]
        return (word >> (WORD - (self.width.bit_length() - 1))).astype(jnp.int32)


def mixed(word: Int[Array, " n"]) -> Int[Array, " n"]:
    """Returns 32-bit words in which every bit depends on every bit of the input.

    A bijection; the constants are C. Wellons' lowest-bias pair ("hash-prospector").
    """
    word = word.astype(jnp.uint32)
    word = (word ^ (word >> 16)) * jnp.uint32(0x7FEB352D)
    word = (word ^ (word >> 15)) * jnp.uint32(0x846CA68B)
    return word ^ (word >> 16)


def pair_id(first: Int[Array, " n"], second: Int[Array, " n"]) -> Int[Array, " n"]:
    """Returns one 32-bit id of two: order matters, equal sums do not meet."""
    return mixed(mixed(first.astype(jnp.uint32)) + second.astype(jnp.uint32))
