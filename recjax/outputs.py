"""What a model hands to the losses: embeddings, and what masks and logQ need."""

from __future__ import annotations

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
class ItemScores:
    """Scores of `P` positions, each of which one item follows.

    Attributes:
      own: score of the item that follows [P].
      drawn: scores of items drawn at random, the same for all positions [P, R].
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
    drawn: Float[Array, "P R"]
    shown: Float[Array, "P I"]
    distance: Float[Array, " P"]
    own_id: Int[Array, " P"]
    drawn_id: Int[Array, " R"]
    shown_there: Bool[Array, "P I"]
    own_draw_logq: Float[Array, " P"]
    drawn_draw_logq: Float[Array, " R"]
    weight: Float[Array, " P"]
