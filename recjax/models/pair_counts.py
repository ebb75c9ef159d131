"""How often items, queries and pairs were trained on: counted while training."""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax.numpy as jnp

from recjax.nn.sketch import CountMin, Counts, pair_id
from recjax.outputs import Retrieval
from recjax.typing import Array, Int

Memory = dict[str, Counts]


@dataclass(frozen=True)
class PairCounts:
    """Count-min sketches of a stream of (query, item) pairs, in fixed memory.

    Attributes:
      sketch: of each of the counts.
      given_query: count queries and pairs too, for log P(item | query).
    """

    sketch: CountMin = CountMin()
    given_query: bool = False

    def empty(self) -> Memory:
        """Returns the counts of nothing."""
        names = ("item", "query", "pair") if self.given_query else ("item",)
        return {name: self.sketch.empty() for name in names}

    def add(
        self, counts: Memory, query: Int[Array, " B"], item: Int[Array, " B"]
    ) -> Memory:
        """Counts a batch of pairs."""
        ids = {"item": item, "query": query, "pair": pair_id(query, item)}
        return {name: self.sketch.add(counts[name], ids[name]) for name in counts}

    def correct(self, counts: Memory, outputs: Retrieval) -> Retrieval:
        """Returns outputs with the log probabilities that were counted."""
        items, log_share = counts["item"], self.sketch.log_share
        outputs = replace(
            outputs,
            positive_logq=log_share(items, outputs.positive_id),
            negative_logq=log_share(items, jnp.maximum(outputs.negative_id, 0)),
        )
        if not self.given_query:
            return outputs
        pair = pair_id(outputs.query_id, outputs.positive_id)
        both = self.sketch.estimate(counts["pair"], pair)
        query = self.sketch.estimate(counts["query"], outputs.query_id)
        # Collisions may count a query less often than a pair: at most certain.
        share = jnp.minimum(both / jnp.maximum(query, 1), 1)
        log_share = jnp.log(jnp.maximum(share, 1e-30))
        return replace(outputs, given_query_logq=log_share)
