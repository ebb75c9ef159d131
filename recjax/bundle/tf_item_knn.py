"""Item-kNN, a part of a fusion, as a TensorFlow graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from recjax.bundle import tf_ops
from recjax.bundle.saved_model import utf8
from recjax.evals.baselines.item_knn import ItemKnn
from recjax.evals.fused import Part


class ItemKnnGraph:
    """Scores of histories; see `ItemKnn`.

    Attributes:
      held: the module that holds what it learned.
    """

    def __init__(self, tf: Any, part: Part, item_ids: Sequence[str]) -> None:
        """Puts what item-kNN learned into a module.

        Args:
          tf: TensorFlow.
          part: settings, and what was learned.
          item_ids: [N].
        """
        assert isinstance(part.scorer, ItemKnn) and part.learned is not None
        self.tf, self.settings = tf, part.scorer
        self.held = tf.Module(name="item_knn")
        self.held.table = tf_ops.hash_table(tf, utf8(item_ids), 1)
        self.size = len(item_ids)
        self.weighed = tf_ops.weighed(tf, self.held, part.learned.weights)
        same = part.learned.same
        self.held.same = tf.constant(0.0 if same is None else same, tf.float32)

    def __call__(self, raw: dict[str, Any]) -> Any:
        """Returns scores f32[B, N] of the raw columns `history`[, `history_age`]."""
        tf = self.tf
        ids = self.held.table.lookup(raw["history"])
        known = ids > 0
        # Newer events that are known.
        back = tf.cumsum(tf.cast(known, tf.int32), 1, exclusive=True, reverse=True)
        distance = tf.cast(back, tf.float32)
        if "history_age" in raw:
            # Fails where ages and items are not of one number.
            age = tf.reshape(raw["history_age"], tf.shape(ids))
            timed = tf.reduce_any(known & (age != 0), 1, keepdims=True)
            distance = tf.where(timed, age / self.settings.age_scale, distance)
        weight = (1.0 + distance) ** np.float32(-self.settings.recency_power)
        at = tf.where(known & (back < self.settings.history))
        item = tf.cast(tf.gather_nd(ids, at), tf.int64) - 1
        asked = tf.tensor_scatter_nd_add(
            tf.zeros([self.size, tf.shape(ids)[0]]),
            tf.stack([item, at[:, 0]], 1),
            tf.gather_nd(weight, at),
        )
        return self.weighed(asked) + self.held.same
