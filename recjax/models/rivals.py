"""HierTCN and its rivals as published, and at equal numbers of parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from recjax.nn.gru import Gru
from recjax.nn.hier import HierGru, HierTcn, Hrnn, SessionStates
from recjax.nn.one_level import FlatGru, FlatTcn
from recjax.nn.session import Encoder, Row
from recjax.nn.tcn import Tcn

Make = Callable[[int], Encoder]
"""Width of the layers -> encoder."""
Kind = Literal["hiertcn", "hiergru", "hrnn", "gru", "gru4rec", "tcn"]


def makers(
    width: int, gru_layers: int = 2, blocks: int = 2, dropout: float = 0.0
) -> Mapping[str, Make]:
    """Returns name -> function from the width of its layers to an encoder.

    The defaults are those of the authors' code: GRUs of 2 layers, blocks of one
    convolution, kernel 5. A one-level TCN has 6 blocks, in the paper and the code.

    Args:
      width: of item vectors.
      gru_layers: layers of each GRU.
      blocks: of HierTCN's convolutions.
      dropout: of every encoder.
    """
    own = {"width": width, "dropout": dropout}
    return {
        "hiertcn": lambda size: HierTcn(
            SessionStates(Gru(size, gru_layers)), Tcn(size, blocks, 5, 1), **own
        ),
        "hiergru": lambda size: HierGru(
            SessionStates(Gru(size, gru_layers)), Gru(size, gru_layers), **own
        ),
        "hrnn": lambda size: Hrnn(state=size, layers=gru_layers, **own),
        "gru": lambda size: FlatGru(Gru(size, gru_layers), **own),
        "gru4rec": lambda size: FlatGru(Gru(size), per_session=True, **own),
        "tcn": lambda size: FlatTcn(Tcn(size, 6, 5, 1), **own),
    }


@dataclass(frozen=True)
class Rival:
    """An encoder by its name, so that one experiment can sweep over them.

    Attributes:
      kind: which one.
      width: of item vectors, and of the vectors that come out.
      size: width of the layers; None for the one at which the encoder has as many
        parameters as HierTCN with layers of `width`.
      gru_layers, blocks, dropout: as of `makers`.
    """

    kind: Kind
    width: int
    size: int | None = None
    gru_layers: int = 2
    blocks: int = 2
    dropout: float = 0.0

    def __post_init__(self) -> None:
        """Checks the name.

        Raises:
          ValueError: there is no such encoder.
        """
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind {self.kind!r}: choose one of {get_args(Kind)}")

    @property
    def encoder(self) -> Encoder:
        """The encoder itself."""
        make = makers(self.width, self.gru_layers, self.blocks, self.dropout)
        if self.size is not None:
            return make[self.kind](self.size)
        target = parameters(make["hiertcn"](self.width), self.width)
        return equal_sized(make[self.kind], target, self.width)

    def start(self, rows: int, width: int) -> Any:
        """Returns the memory of rows that met nobody."""
        return self.encoder.start(rows, width)

    def init(self, *arguments: Any) -> Any:
        """Returns the encoder's variables."""
        return self.encoder.init(*arguments)

    def apply(self, *arguments: Any, **more: Any) -> Any:
        """Applies the encoder."""
        return self.encoder.apply(*arguments, **more)


@lru_cache(256)
def parameters(encoder: Encoder, width: int) -> int:
    """Returns the number of an encoder's parameters.

    Args:
      encoder: the encoder.
      width: of item vectors.
    """
    whole, flag = jnp.zeros((1, 2), jnp.int32), jnp.zeros((1, 1), bool)
    row = Row(
        event=jnp.zeros((1, 2, width)),
        there=whole == 0,
        slot=whole,
        position=whole,
        age=whole,
        filled=~flag,
        fresh=flag,
        gap=jnp.zeros((1, 1)),
    )
    memory = encoder.start(1, width)
    shapes = jax.eval_shape(lambda: encoder.init(jax.random.key(0), row, memory, False))
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(shapes))


def equal_sized(make: Make, target: int, width: int, step: int = 4) -> Encoder:
    """Returns the encoder whose number of parameters is nearest to `target`.

    Args:
      make: width of the layers -> encoder.
      target: number of parameters.
      width: of item vectors.
      step: widths are multiples of it.
    """
    low, high = 1, 1
    while parameters(make(high * step), width) < target:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if parameters(make(middle * step), width) < target:
            low = middle
        else:
            high = middle
    both = [make(low * step), make(high * step)]
    return min(both, key=lambda one: abs(parameters(one, width) - target))
