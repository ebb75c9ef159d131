"""Losses: from a model's outputs to one value and one weight an example."""

from typing import TYPE_CHECKING

from recjax import lazy

if TYPE_CHECKING:
    from recjax.losses.base import Loss, LossValue, Piecewise
    from recjax.losses.mining import InBatchSoftmax, MinedHinge, MultiSimilarity
    from recjax.losses.pairwise import L2, Bpr, Hinge, ItemSoftmax, Nce, Top1
    from recjax.losses.sampled_softmax import SampledSoftmax
    from recjax.losses.triplet import Softmax, TripletHinge

__getattr__, __dir__ = lazy.names(__name__, __file__)
