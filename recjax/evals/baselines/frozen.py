"""Trained networks as they are, on any number of images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from recjax.blocks import in_blocks
from recjax.evals.outside import outside
from recjax.nn.backbones import FrozenBranch

BLOCK = 64


@dataclass(frozen=True)
class Pooled:
    """A frozen branch, compiled.

    Attributes:
      size: pixels a side that it sees.
      widths: numbers of each of its vectors.
      run: pixels f32[BLOCK, size, size, 3] -> the numbers of all vectors.
    """

    size: int
    widths: tuple[int, ...]
    run: Callable[[np.ndarray], jax.Array]

    @classmethod
    def of(cls, branch: FrozenBranch) -> Pooled:
        """Returns a branch with its weights."""
        return cls._of(branch, outside(branch))

    @classmethod
    @lru_cache(maxsize=4)
    def _of(cls, branch: FrozenBranch, files: tuple) -> Pooled:
        del files  # Written anew, they are other weights.
        params = branch.load()

        def levels(pixels: jax.Array) -> list[jax.Array]:
            return branch.levels(params, pixels / 127.5 - 1.0)

        shape = (BLOCK, branch.size, branch.size, 3)
        made = jax.eval_shape(levels, jax.ShapeDtypeStruct(shape, np.float32))
        widths = tuple(level.shape[-1] for level in made)
        run = jax.jit(lambda pixels: jnp.concatenate(levels(pixels), -1))
        return cls(branch.size, widths, run)

    def embed(
        self, count: int, take: Callable[[slice], np.ndarray]
    ) -> list[np.ndarray]:
        """Returns the vectors of images, f32[count, D] of each map.

        Args:
          count: number of images.
          take: a slice of them -> pixels uint8[n, size, size, 3].
        """

        def read(at: slice) -> dict[str, np.ndarray]:
            return {"image": take(at).astype(np.float32)}

        made = in_blocks(lambda x: self.run(x["image"]), count, BLOCK, read)
        return np.split(made, np.cumsum(self.widths)[:-1], axis=1)
