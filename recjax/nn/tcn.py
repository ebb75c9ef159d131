"""Causal dilated convolutions over rows that hold several sequences.

A tap that would reach back beyond the start of its own sequence reads zero, so that
sequences may stand end to end, and what lies before the row comes from a buffer: a row
may be cut anywhere, down to one event at a time.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from recjax.execution import block, dtype, product
from recjax.nn.session import newest_inputs
from recjax.typing import Array, Float, Int

Buffers = tuple[Array, ...]
"""The last inputs of each convolution before the row, [B, reach, C] each."""


class CausalConv(nn.Module):
    """One causal dilated convolution.

    Attributes:
      width: channels that come out.
      kernel: taps.
      dilation: steps between taps.
    """

    width: int
    kernel: int = 5
    dilation: int = 1

    @property
    def reach(self) -> int:
        """Steps that the farthest tap lies back."""
        return (self.kernel - 1) * self.dilation

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "B L C"],
        position: Int[Array, "B L"],
        buffer: Float[Array, "B R C"],
    ) -> Float[Array, "B L D"]:
        """Returns the outputs.

        Args:
          x: inputs.
          position: of each input in its sequence, from 0.
          buffer: the inputs before the row, newest last.
        """
        shape = (self.kernel, x.shape[-1], self.width)
        weights = self.param("kernel", nn.initializers.he_normal((0, 1), 2), shape)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.width,))
        length, whole = x.shape[1], jnp.concatenate([buffer, x], 1)
        taps = []
        for tap in range(self.kernel):
            back = tap * self.dilation
            start = self.reach - back
            values = jax.lax.slice_in_dim(whole, start, start + length, axis=1)
            taps.append(jnp.where((position >= back)[..., None], values, 0.0))
        # One product of all taps: a matrix multiplication as large as it can be.
        made = product(jnp.concatenate(taps, -1), weights.reshape(-1, self.width))
        return made + bias.astype(made.dtype)


class Tcn(nn.Module):
    """Residual blocks of causal convolutions, the dilation doubling with each block.

    Attributes:
      width: channels.
      blocks: number of blocks; block i has dilation 2 ** i.
      kernel: taps.
      convs: convolutions of a block: 2 in HierTCN's paper, 1 in its code.
      dropout: after each convolution.
      gated: half of a convolution's channels gate the other half (Dauphin et al. 2017),
        in place of a ReLU.
    """

    width: int = 128
    blocks: int = 4
    kernel: int = 5
    convs: int = 2
    dropout: float = 0.0
    gated: bool = False

    @property
    def receptive_field(self) -> int:
        """Inputs behind an output: 1 + convs (kernel - 1) (2 ** blocks - 1)."""
        return 1 + self.convs * (self.kernel - 1) * (2**self.blocks - 1)

    @nn.nowrap
    def start(self, rows: int, width: int) -> Buffers:
        """Returns empty buffers.

        Args:
          rows: `B`.
          width: channels of the input.
        """
        sizes = [width] + [self.width] * (self.blocks * self.convs - 1)
        return tuple(
            jnp.zeros((rows, (self.kernel - 1) * 2 ** (i // self.convs), size))
            for i, size in enumerate(sizes)
        )

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "B L C"],
        position: Int[Array, "B L"],
        buffers: Buffers,
        filled: Int[Array, " B"],
        train: bool = False,
    ) -> tuple[Float[Array, "B L D"], Buffers]:
        """Returns the outputs, and the buffers of the next row.

        Args:
          x: inputs.
          position: of each input in its sequence, from 0.
          buffers: of the row before.
          filled: inputs of each row that count; the rest, at its end, is padding.
          train: drop out.
        """
        new = []
        for i in range(self.blocks):
            inner = x
            for conv in range(self.convs):
                buffer = buffers[len(new)]
                layer = CausalConv(
                    self.width * (1 + self.gated),
                    self.kernel,
                    2**i,
                    name=f"conv_{i}_{conv}",
                )
                new.append(newest_inputs(buffer, inner, filled))
                inner = layer(inner, position, buffer)
                inner = nn.glu(inner) if self.gated else nn.relu(inner)
                inner = nn.Dropout(self.dropout, deterministic=not train)(inner)
            if x.shape[-1] != self.width:
                x = nn.Dense(self.width, dtype=dtype(), name=f"residual_{i}")(x)
            x = block(x + inner if self.gated else nn.relu(x + inner))
        return x, tuple(new)
