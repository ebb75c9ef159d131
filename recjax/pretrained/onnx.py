"""A convolutional network of the user, from an `.onnx` file, as a frozen branch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import jax
import jax.numpy as jnp

from recjax.errors import UserError
from recjax.pretrained import onnx_graph, onnx_ops
from recjax.pretrained.onnx_graph import Graph
from recjax.typing import Array, Float, Params


@dataclass(frozen=True)
class Onnx:
    """A network from an `.onnx` file, as it is; see `recjax.nn.backbones.FrozenBranch`.

    Its input is [1 or any number, 3, size, size], red first. It is run image by image,
    so that nothing in it can mix them. Needs the package onnx (`recjax[onnx]`); a
    bundle needs neither that nor the file, a run needs both.

    Attributes:
      path: of the file.
      values: names of what is taken of it, an output or something in between: numbers
        [1, D], or maps [1, D, height, width], whose mean over all places is taken.
        What the layer that tells classes is given is usually best.
      size: pixels a side.
      mean: of red, green, blue as numbers from 0 to 1, subtracted from these.
      std: what they are then divided by. A network for numbers from 0 to 255 has mean
        0 and std 1 / 255.

    Example:
      Onnx("net.onnx", ("pooled",), 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    """

    path: str
    values: tuple[str, ...]
    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __post_init__(self) -> None:
        """Checks what needs no file.

        Raises:
          ValueError: nothing is taken, or the colours are not three.
        """
        if not self.values or isinstance(self.values, str):
            raise ValueError(
                f"Onnx: values = {self.values!r}: name one or more, a tuple"
            )
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError(
                f"Onnx: mean {self.mean} and std {self.std} must be three numbers "
                "each, std above 0"
            )

    def load(self) -> Params:
        """Returns the weights by number.

        Raises:
          UserError: the file cannot be read, or holds what cannot be run.
        """
        return {f"{i:04}": x for i, x in enumerate(self._graph.weights.values())}

    def levels(
        self, params: Params, images: Float[Array, "B size size 3"]
    ) -> list[Float[Array, "B D"]]:
        """Returns the values of images, pixels of about -1 to 1.

        Raises:
          UserError: as of `load`; or a value has another shape.
        """
        graph = self._graph
        weights = {name: params[f"{i:04}"] for i, name in enumerate(graph.weights)}
        mean, std = (jnp.asarray(x, jnp.float32) for x in (self.mean, self.std))

        def one(image: Array) -> list[Array]:
            x = (((image + 1) / 2 - mean) / std).transpose(2, 0, 1)[None]
            try:
                made = onnx_ops.run(graph, weights, x)
            except UserError as error:
                raise UserError(f"{self.path}: {error}") from error
            return [self._vector(name, made[name]) for name in self.values]

        return jax.vmap(one)(images.astype(jnp.float32))

    def _vector(self, name: str, value: Array) -> Array:
        if value.ndim == 4 and value.shape[0] == 1:
            return value[0].mean((1, 2))
        if value.ndim == 2 and value.shape[0] == 1:
            return value[0]
        raise UserError(
            f"{self.path}: {name!r} is {value.shape} of one image; take what is "
            "[1, D] or [1, D, height, width]"
        )

    @property
    def _graph(self) -> Graph:
        path = Path(self.path)
        try:
            changed = path.stat().st_mtime_ns
        except OSError as error:
            raise UserError(
                f"{self.path}: cannot be read ({error.strerror})"
            ) from error
        return _read(path, self.values, self.size, changed)


@lru_cache(maxsize=4)
def _read(path: Path, values: tuple[str, ...], size: int, changed: int) -> Graph:
    """Returns the graph of a file that was changed at some time, checked."""
    del changed
    graph = onnx_graph.read(path, values)
    if wrong := onnx_ops.refused(graph):
        raise UserError(
            f"{path}: not supported: {', '.join(wrong)}. Take a value in front of it, "
            "or export the network without it"
        )
    want = (1, 3, size, size)
    if len(graph.shape) != 4 or any(
        got not in (None, n) for got, n in zip(graph.shape, want, strict=True)
    ):
        shown = ["?" if n is None else n for n in graph.shape]
        raise UserError(
            f"{path}: its input {graph.input!r} is {shown}, not {list(want)} (any "
            "number of images will do): set size, or export it for one image, colours "
            "first"
        )
    return graph
