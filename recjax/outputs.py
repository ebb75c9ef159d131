"""What a model hands to the losses: embeddings, and what masks and logQ need."""

from __future__ import annotations

import jax.numpy as jnp
from flax import struct

from recjax.typing import Array, Bool, Float, Int


@struct.dataclass
class Retrieval:
    """The embeddings of one batch of (query, positive) pairs and extra negatives.

    Attributes:
      query: vectors [B, D].
      positive: vectors [B, D]; row i is what query i led to.
      negative: vectors [R, D] of items drawn at random from the corpus.
      scale: inverse temperature, a scalar.
      query_id: rows with the same id are the same query [B].
      positive_id: corpus index [B].
      negative_id: corpus index [R]; -1 fills up the shape.
      positive_logq: log probability that a training pair holds this item [B].
      negative_logq: the same of the drawn negatives [R].
      positive_draw_logq: log probability that one random draw gives this item [B].
      negative_draw_logq: the same of the drawn negatives [R].
      weight: weight of each pair in the loss [B]; at 0 it is no column either.
      given_query_logq: log probability that a training pair of this query holds this
        item [B]; None where nobody counts it.
      known_id: corpus indices of other positives of each query [B, M], -1 fills up;
        None where nobody says.
    """

    query: Float[Array, "B D"]
    positive: Float[Array, "B D"]
    negative: Float[Array, "R D"]
    scale: Float[Array, ""]
    query_id: Int[Array, " B"]
    positive_id: Int[Array, " B"]
    negative_id: Int[Array, " R"]
    positive_logq: Float[Array, " B"]
    negative_logq: Float[Array, " R"]
    positive_draw_logq: Float[Array, " B"]
    negative_draw_logq: Float[Array, " R"]
    weight: Float[Array, " B"]
    given_query_logq: Float[Array, " B"] | None = None
    known_id: Int[Array, "B M"] | None = None


@struct.dataclass
class PairFeatures:
    """What features of `K` pairs of a position and a drawn item add to their scores.

    Attributes:
      weight: of each feature at each position [P, F].
      at: position * R + drawn item [K].
      feature: number of the feature [K].
      value: of the feature; 0 fills up the shape [K].
    """

    weight: Float[Array, "P F"]
    at: Int[Array, " K"]
    feature: Int[Array, " K"]
    value: Float[Array, " K"]


@struct.dataclass
class ItemScores:
    """Scores of `P` positions, each of which one item follows.

    Attributes:
      own: score of the item that follows [P].
      user: vectors [P, D], whose product with an item's is its score but for a bias.
      drawn_item: vectors of items drawn at random, the same for all positions [R, D].
      drawn_bias: what their scores are at least [R].
      pairs: what else adds to these scores; None for nothing.
      shown: scores of items shown there but not taken (impressions) [P, I]; `I` may
        be 0.
      distance: squared distance of user vector and the following item's vector [P].
      own_id: item that follows [P].
      drawn_id: items drawn [R]; -1 fills up the shape.
      shown_there: which of the shown items exist [P, I].
      own_draw_logq: log probability that one draw gives the item that follows [P].
      drawn_draw_logq: the same of the drawn items [R].
      weight: weight of each position; 0 where there is no event [P].
    """

    own: Float[Array, " P"]
    user: Float[Array, "P D"]
    drawn_item: Float[Array, "R D"]
    drawn_bias: Float[Array, " R"]
    pairs: PairFeatures | None
    shown: Float[Array, "P I"]
    distance: Float[Array, " P"]
    own_id: Int[Array, " P"]
    drawn_id: Int[Array, " R"]
    shown_there: Bool[Array, "P I"]
    own_draw_logq: Float[Array, " P"]
    drawn_draw_logq: Float[Array, " R"]
    weight: Float[Array, " P"]

    @property
    def drawn(self) -> Float[Array, "P R"]:
        """The scores of drawn items, all of them in memory."""
        items = self.drawn_item, self.drawn_bias
        return drawn_scores(None, self.user, *items, self.pairs)


def drawn_scores(
    position: Int[Array, " b"] | None,
    user: Float[Array, "b D"],
    item: Float[Array, "R D"],
    bias: Float[Array, " R"],
    pairs: PairFeatures | None,
) -> Float[Array, "b R"]:
    """Returns the scores of drawn items at some positions of a batch.

    Args:
      position: of the rows in the batch, rising; None for all of it.
      user: their vectors.
      item: as `ItemScores.drawn_item`.
      bias: as `ItemScores.drawn_bias`.
      pairs: all of the batch, the weights of these rows alone.
    """
    scores = user @ item.T + bias
    if pairs is None:
        return scores
    wanted, column = jnp.divmod(pairs.at, len(item))
    if position is None:
        row, value = wanted, pairs.value
    else:
        row = jnp.minimum(jnp.searchsorted(position, wanted), len(position) - 1)
        value = jnp.where(position[row] == wanted, pairs.value, 0.0)
    more = pairs.weight[row, pairs.feature] * value
    return scores.at[row, column].add(more)


@struct.dataclass
class Graded:
    """The embeddings of one batch of triplets (query, positive, negative).

    Attributes:
      vector: query, positive and negative of each triplet [B, 3, D].
      relevance: of positive and negative to the query [B, 2].
      label: classes of the three images, from coarse to fine [B, 3, levels].
      image: position of the three images in the data set [B, 3].
      logits: of a softmax over the classes of each level, [B, 3, classes] each.
      weight: weight of each triplet in the loss [B].
    """

    vector: Float[Array, "B 3 D"]
    relevance: Float[Array, "B 2"]
    label: Int[Array, "B 3 levels"]
    image: Int[Array, "B 3"]
    logits: tuple[Float[Array, "B 3 classes"], ...]
    weight: Float[Array, " B"]
