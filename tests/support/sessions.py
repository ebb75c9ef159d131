"""Small sessions in memory, and encoders to stream over them."""

from functools import partial

import jax
import numpy as np
import pytest

from recjax.data.sessions.next import NextInSession, NextInSessionData
from recjax.data.sessions.packing import PAD, Packed
from recjax.data.sessions.read import Sessions
from recjax.data.splits import LastOut
from recjax.nn.attention import FlatAttention
from recjax.nn.gru import Gru
from recjax.nn.hier import HierGru, HierTcn, Hrnn, SessionStates
from recjax.nn.one_level import FlatGru, FlatTcn
from recjax.nn.session import Row
from recjax.nn.tcn import Tcn

WIDTH = 6
ENCODERS = {
    "hiertcn": HierTcn(
        SessionStates(Gru(5, 2), gap=True, decay=20.0), Tcn(7, 2, 3, 1), WIDTH
    ),
    "hiertcn_paper": HierTcn(
        SessionStates(Gru(5, reset="after")),
        Tcn(6, 2, 2, 2),
        WIDTH,
        hidden=8,
        skip=True,
    ),
    "hiertcn_gated": HierTcn(
        SessionStates(Gru(5)),
        Tcn(6, 2, 3, 1, gated=True),
        WIDTH,
        skip=True,
    ),
    "hiergru": HierGru(SessionStates(Gru(5, 2)), Gru(4, 2), WIDTH),
    "hrnn": Hrnn(WIDTH, state=5, layers=2),
    "gru": FlatGru(Gru(5, 2), WIDTH),
    "gru4rec": FlatGru(Gru(5), WIDTH, per_session=True),
    "sasrec": FlatAttention(WIDTH, 8, window=5),
    "gated": FlatAttention(WIDTH, 8, 1, window=3, block="gated", times=True),
    "hstu": FlatAttention(WIDTH, 8, window=4, block="hstu", times=True, hidden=7),
    "tcn": FlatTcn(Tcn(6, 3, 3, 1), WIDTH),
}


def by_encoder(*quick):
    """Parametrizes a test by encoder; those that are not named are slow."""
    slow = [n for n in sorted(ENCODERS) if n not in quick]
    slow = [pytest.param(name, marks=pytest.mark.slow) for name in slow]
    return pytest.mark.parametrize("name", [*quick, *slow])


def sessions(seed=0, users=7, items=20, most=6, longest=5):
    """Returns random sessions with times."""
    random = np.random.default_rng(seed)
    counts = random.integers(1, most + 1, users)
    lengths = random.integers(1, longest + 1, counts.sum())
    size = int(lengths.sum())
    user_start = np.r_[0, np.cumsum(counts)]
    session_start = np.r_[0, np.cumsum(lengths)]
    return Sessions(
        item=random.integers(0, items, size).astype(np.int32),
        timestamp=1_000_000 + np.cumsum(random.integers(1, 9_000, size)),
        session_start=session_start,
        user_start=user_start,
        user_ids=tuple(f"u{u}" for u in range(users)),
        item_ids=tuple(f"i{i}" for i in range(items)),
    )


def opened(known, layout=None, **settings):
    """Returns an opened data set of sessions in memory."""
    layout = layout or Packed(4, 16, 6)
    settings = {"negatives": 16, "split": LastOut(), **settings}
    made = NextInSession("memory", layout=layout, **settings)
    return NextInSessionData(made, 0, known)


@partial(jax.jit, static_argnums=0)
def init(encoder, row, memory):
    """Returns the parameters that an encoder starts with."""
    return encoder.init(jax.random.key(0), row, memory, False)


def started(encoder, data, seed=0):
    """Returns random parameters of an encoder and vectors of items."""
    random = np.random.default_rng(seed)
    table = random.normal(size=(len(data.sessions.item_ids) + 1, WIDTH))
    table = table.astype(np.float32)
    batch = data.packed_arrays(data.epochs.at(0)[0].grid(0))
    row = Row.of(batch, table[batch["item"]])
    memory = encoder.start(len(batch["item"]), WIDTH)
    shapes = init.eval_shape(encoder, row, memory)
    # Biases too: at zero, where they start, many a mistake hides.
    leaves, tree = jax.tree.flatten(shapes)
    leaves = [0.4 * random.normal(size=leaf.shape) for leaf in leaves]
    return jax.tree.unflatten(tree, [leaf.astype(np.float32) for leaf in leaves]), table


def streamed(encoder, params, table, data, plan):
    """Returns the vector before every event of a plan, f32[E, D]; NaN elsewhere."""
    memory = encoder.start(plan.layout.rows, WIDTH)
    out = np.full((len(data.sessions.item), WIDTH), np.nan, np.float32)
    for number in range(plan.steps):
        grid = plan.grid(number)
        batch = data.packed_arrays(grid)
        vectors, memory = advance(encoder, params, table, batch, memory)
        there = grid.event != PAD
        out[grid.event[there]] = np.asarray(vectors)[there]
    return out


@partial(jax.jit, static_argnums=0)
def advance(encoder, params, table, batch, memory):
    """Returns the vectors of a row and the memory after it."""
    row = Row.of(batch, table[batch["item"]])
    return encoder.apply(params, row, memory, False)
