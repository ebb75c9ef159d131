"""The best items of vectors, in graphs of TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from recjax.bundle.contract import NO_SCORE
from recjax.bundle.saved_model import utf8
from recjax.data.inputs import check_ids
from recjax.index import scann
from recjax.index.compact import Compact, Vectors
from recjax.index.plan import Plan


def top_k(
    tf: Any,
    module: Any,
    vectors: Vectors,
    item_ids: Sequence[str],
    plan: Plan,
) -> Callable[..., dict[str, Any]]:
    """Returns (vectors f32[B, D], k i32[B], hidden i32[B, any]) -> ids and scores.

    `hidden` are places of items from 1; 0 is none. A fourth argument joins the scores
    of an exact search, [B, N]; `scores` stand instead of them.
    """
    best = search(tf, module, vectors, item_ids, plan)

    def nearest(
        embedding: Any, k: Any, hidden: Any, more: Any = 0.0, scores: Any = None
    ) -> dict[str, Any]:
        k, wanted = counts(tf, k, hidden, len(item_ids), plan)
        items, scores = best(embedding, wanted, more, scores)
        gone = (items < 0) | is_hidden(tf, items, hidden)
        return listed(tf, module, items, scores, gone, k)

    return nearest


def search(
    tf: Any, module: Any, vectors: Vectors, item_ids: Sequence[str], plan: Plan
) -> Callable[..., tuple[Any, Any]]:
    """Returns (vectors f32[B, D], K, more, scores) -> items i32[B, K] and their scores.

    The module holds what is searched, and `item_ids`; see `top_k`.
    """
    check_ids(item_ids)
    module.item_ids = tf.Variable(utf8(item_ids), trainable=False)
    if plan.leaves:
        module.index = scann.build_tf(vectors, plan)
    elif isinstance(vectors, Compact):
        module.vectors = tf.Variable(vectors.codes, trainable=False)
        module.scale = tf.Variable(vectors.scale, trainable=False)
    else:
        module.vectors = tf.Variable(vectors, trainable=False)

    def best(
        embedding: Any, wanted: Any, more: Any = 0.0, scores: Any = None
    ) -> tuple[Any, Any]:
        if plan.leaves:
            return scann.search_tf(module.index, plan, embedding, wanted)
        if scores is None:
            if isinstance(vectors, Compact):
                embedding = embedding * module.scale
            held = tf.cast(module.vectors, tf.float32)
            scores = tf.matmul(embedding, held, transpose_b=True) + more
        scores, items = tf.math.top_k(scores, wanted)
        return items, scores

    return best


def counts(tf: Any, k: Any, hidden: Any, size: int, plan: Plan) -> tuple[Any, Any]:
    """Returns k, 0 where it is not in 1..plan.k, and how many items are looked for."""
    k = tf.where((k >= 1) & (k <= plan.k), k, 0)
    return k, tf.minimum(_most(tf, k) + tf.shape(hidden)[1], size)


def is_hidden(tf: Any, items: Any, hidden: Any) -> Any:
    """Returns which of items [B, K] are among their row's hidden ones, bool[B, K]."""
    return tf.reduce_any(items[:, :, None] + 1 == hidden[:, None, :], 2)


def listed(
    tf: Any, module: Any, items: Any, scores: Any, gone: Any, k: Any, **texts: Any
) -> dict[str, Any]:
    """Returns ids and scores [B, max k] of the first k items that are not gone.

    Behind them stand "" and the lowest number. `texts` [B, K] go with the items.
    """
    order = tf.argsort(tf.cast(gone, tf.int32), 1, stable=True)[:, : _most(tf, k)]
    items, scores, gone = (
        tf.gather(one, order, batch_dims=1) for one in (items, scores, gone)
    )
    gone |= tf.range(tf.shape(items)[1]) >= k[:, None]
    found = {"ids": tf.gather(module.item_ids, tf.maximum(items, 0))}
    found |= {n: tf.gather(one, order, batch_dims=1) for n, one in texts.items()}
    return {
        **{name: tf.where(gone, "", values) for name, values in found.items()},
        "scores": tf.where(gone, NO_SCORE, scores),
    }


def _most(tf: Any, k: Any) -> Any:
    return tf.maximum(tf.reduce_max(k), 1)
