"""The low-resolution paths of Deep Ranking's multiscale network.

Wang et al. 2014, Fig. 3, with its two errors settled by arithmetic: the labels of the
two poolings are swapped (only 7x7/4 takes 15 to 4, and 3x3/2 takes 8 to 4), and the
printed 3074 must be 2 x 4 x 4 x 96 = 3072. All padding is SAME.
"""

from __future__ import annotations

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp

from recjax.nn import convolution as cnn
from recjax.typing import Array, Float, Params, PRNGKey


@dataclass(frozen=True)
class LowPath:
    """Shrink, one convolution with ReLU, one max pooling.

    Attributes:
      factor: of shrinking.
      pool: side of the pooling window.
      pool_stride: its step.
      kernel: side of the convolution.
      stride: its step.
      channels: its maps.
    """

    factor: int
    pool: int
    pool_stride: int
    kernel: int = 8
    stride: int = 4
    channels: int = 96

    def side(self, size: int) -> int:
        """Returns the side of the last map for images of `size` pixels."""
        for step in (self.factor, self.stride, self.pool_stride):
            size = -(-size // step)
        return size

    def width(self, size: int) -> int:
        """Returns how many numbers come out for images of `size` pixels."""
        return self.side(size) ** 2 * self.channels

    def init(self, key: PRNGKey) -> Params:
        """Returns parameters for training from scratch."""
        return cnn.init_layer(key, (self.kernel, self.kernel, 3, self.channels))

    def apply(
        self, params: Params, images: Float[Array, "B height width 3"]
    ) -> Float[Array, "B W"]:
        """Returns the flattened map."""
        # The paper says "subsample" and not how; a mean keeps fine patterns from
        # turning into coarse ones. Windows that stick out take what is inside.
        factor, pool, step = (
            (n, n) for n in (self.factor, self.pool, self.pool_stride)
        )
        x = nn.avg_pool(images, factor, factor, "SAME", count_include_pad=False)
        x = jax.nn.relu(cnn.conv(params, x, self.stride))
        x = nn.max_pool(x, pool, step, "SAME")
        return jnp.reshape(x, (x.shape[0], -1))


PAPER = (LowPath(4, 7, 4), LowPath(8, 3, 2))
"""The two paths of the paper: 225 -> 57 -> 15 -> 4 and 225 -> 29 -> 8 -> 4."""
SMALL = (LowPath(2, 3, 2, 4, 2, 16), LowPath(4, 3, 2, 4, 2, 16))
"""The same in small, for images of 64 to 128 pixels."""
