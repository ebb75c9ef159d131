"""Losses: from a model's outputs to one value and one weight an example."""

from recjax.losses.base import Loss, LossValue, Piecewise
from recjax.losses.mining import InBatchSoftmax, MinedHinge, MultiSimilarity
from recjax.losses.sampled_softmax import SampledSoftmax
from recjax.losses.triplet import Softmax, TripletHinge

__all__ = [
    "InBatchSoftmax",
    "Loss",
    "LossValue",
    "MinedHinge",
    "MultiSimilarity",
    "Piecewise",
    "SampledSoftmax",
    "Softmax",
    "TripletHinge",
]
