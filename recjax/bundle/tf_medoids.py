"""Users' medoids -> candidates, as a graph of TensorFlow; see `medoids_served`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from recjax.bundle import tf_ops
from recjax.bundle.contract import SERVING, tensor_spec
from recjax.bundle.medoids import BECAUSE, HIDDEN, IMPORTANCE, MEDOIDS, Medoids
from recjax.bundle.medoids_served import INPUTS, K
from recjax.bundle.saved_model import Functions, Graph, utf8
from recjax.bundle.tf_top_k import counts, is_hidden, listed, search
from recjax.index.plan import Plan


def graphs(
    vectors: np.ndarray,
    item_ids: Sequence[str],
    plan: Plan,
    settings: Medoids,
    tf: Any,
    module: Any,
    functions: Functions,
) -> dict[str, Graph]:
    """Returns the graph of a bundle of users, of unit vectors f32[N, D].

    Unknown medoids are not asked with; a row without any gets "" alone.
    """
    best = search(tf, module, vectors, item_ids, plan)
    module.rows = tf_ops.hash_table(tf, utf8(item_ids), 1)
    if plan.leaves:
        module.vectors = tf.Variable(vectors, trainable=False)

    def serving(given: dict[str, Any]) -> dict[str, Any]:
        medoid = _most_important(tf, module, given, settings.most)
        hidden = module.rows.lookup(given[HIDDEN])
        k, wanted = counts(tf, given[K], hidden, len(item_ids), plan)
        asked = tf.gather(module.vectors, tf.maximum(tf.reshape(medoid, [-1]) - 1, 0))
        shape = tf.concat([tf.shape(medoid), [wanted]], 0)

        found, scores = best(asked, wanted)
        # What is hidden goes last: the next of the same medoid takes its turn.
        flat = tf.reshape(found, [shape[0], shape[1] * wanted])
        late = tf.reshape(tf.cast(is_hidden(tf, flat, hidden), tf.int32), shape)
        order = tf.argsort(late, 2, stable=True)

        def in_turns(values: Any) -> Any:
            own = tf.gather(tf.reshape(values, shape), order, batch_dims=2)
            turns = tf.transpose(own, [0, 2, 1])
            return tf.reshape(turns, [shape[0], shape[1] * wanted])

        items, scores = in_turns(found), in_turns(scores)
        whose = tf.tile(medoid, [1, wanted])
        items = tf.where(whose > 0, items, -1)
        gone = (items < 0) | is_hidden(tf, items, hidden) | _again(tf, items)
        because = tf.gather(module.item_ids, tf.maximum(whose - 1, 0))
        return listed(tf, module, items, scores, gone, k, **{BECAUSE: because})

    specs = {name: tensor_spec(tf, spec) for name, spec in INPUTS.items()}
    return {SERVING: (specs, serving)}


def _most_important(tf: Any, module: Any, given: dict[str, Any], most: int) -> Any:
    """Returns places of medoids from 1, i32[B, at most `most`]; 0 is unknown."""
    places = module.rows.lookup(given[MEDOIDS])
    weight = tf.where(places > 0, given[IMPORTANCE], -1.0)
    order = tf.argsort(-weight, 1, stable=True)[:, :most]
    return tf.gather(places, order, batch_dims=1)


def _again(tf: Any, items: Any) -> Any:
    """Returns which of items [B, K] stand earlier in their row too."""
    order = tf.argsort(items, 1, stable=True)
    sorted_items = tf.gather(items, order, batch_dims=1)
    same = sorted_items[:, 1:] == sorted_items[:, :-1]
    first = tf.zeros_like(items[:, :1], tf.bool)
    return tf.gather(tf.concat([first, same], 1), tf.argsort(order, 1), batch_dims=1)
