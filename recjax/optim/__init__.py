"""Optimizers, chosen for each parameter by a pattern on its path."""

from recjax.optim.optimizer import Adam, Frozen, Lamb, Optimizer
from recjax.optim.rowwise import RowRule, RowwiseAdagrad
from recjax.optim.schedule import Constant, Schedule, WarmupCosine

__all__ = [
    "Adam",
    "Constant",
    "Frozen",
    "Lamb",
    "Optimizer",
    "RowRule",
    "RowwiseAdagrad",
    "Schedule",
    "WarmupCosine",
]
