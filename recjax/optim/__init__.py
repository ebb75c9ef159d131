"""Optimizers, chosen for each parameter by a pattern on its path."""

from typing import TYPE_CHECKING

from recjax import lazy

if TYPE_CHECKING:
    from recjax.optim.optimizer import Adam, Frozen, Lamb, Momentum, Optimizer
    from recjax.optim.rowwise import RowRule, RowwiseAdagrad
    from recjax.optim.schedule import Constant, Schedule, WarmupCosine

__getattr__, __dir__ = lazy.names(__name__, __file__)
