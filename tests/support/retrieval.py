"""Random outputs of a model."""

import numpy as np

from recjax.outputs import Retrieval


def outputs(seed=0, pairs=7, drawn=6, width=5, items=6, queries=4):
    """Returns random outputs in which items and queries repeat."""
    random = np.random.default_rng(seed)
    logq = np.log(random.dirichlet(np.ones(items))).astype(np.float32)
    draw = np.log(random.dirichlet(np.ones(items))).astype(np.float32)
    positive = random.integers(0, items, pairs)
    negative = random.integers(0, items, drawn)
    negative[-1] = -1
    vectors = random.normal(size=(2 * pairs + drawn, width)).astype(np.float32)
    return Retrieval(
        query=vectors[:pairs],
        positive=vectors[pairs : 2 * pairs],
        negative=vectors[2 * pairs :],
        scale=np.float32(1.7),
        query_id=random.integers(0, queries, pairs),
        positive_id=positive,
        negative_id=negative,
        positive_logq=logq[positive],
        negative_logq=logq[negative],
        positive_draw_logq=draw[positive],
        negative_draw_logq=draw[negative],
        weight=random.random(pairs).astype(np.float32),
    )
