"""HierTCN and its rivals as published, and at equal numbers of parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from recjax.nn.flat import FlatGru, FlatTcn
from recjax.nn.gru import Gru
from recjax.nn.hier import HierGru, HierTcn, Hrnn, SessionStates
from recjax.nn.session import Encoder, Row
from recjax.nn.tcn import Tcn

Make = Callable[[int], Encoder]
"""Width of the layers -> encoder."""


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
        place=whole,
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
