"""Losses: from a model's outputs to one value and one weight an example."""

from recjax.losses.base import Loss, LossValue
from recjax.losses.sampled_softmax import SampledSoftmax

__all__ = ["Loss", "LossValue", "SampledSoftmax"]
