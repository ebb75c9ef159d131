"""How much a cluster matters now, and which clusters to ask with."""

from __future__ import annotations

import numpy as np


def importance(label: np.ndarray, age: np.ndarray, decay: float) -> np.ndarray:
    """Returns sum of exp(-decay x age) over each cluster's points: float64 [C].

    Paper, equation 3 and algorithm 2. The paper does not name the unit of time; here
    ages are in days and decay is per day.

    Args:
      label: cluster of each point, [m].
      age: of each point, days before now, [m].
      decay: per day, >= 0.
    """
    return np.bincount(label, np.exp(-decay * np.asarray(age, np.float64)))


def sample(
    importance: np.ndarray, e: int, generator: np.random.Generator
) -> np.ndarray:
    """Returns e clusters, drawn one after the other in proportion to importance.

    Without replacement; all of them where there are no more than e. In the order drawn,
    which is the order of sorted exponential races: one pass, no rounding to zero.

    Args:
      importance: positive [C].
      e: how many.
      generator: of the randomness.
    """
    # The first e of races with these rates are a draw without replacement.
    with np.errstate(divide="ignore"):
        finish = generator.standard_exponential(len(importance)) / importance
    return np.argsort(finish, kind="stable")[:e]


def top(importance: np.ndarray, e: int) -> np.ndarray:
    """Returns the e most important clusters, most important first; of equals, lower."""
    return np.argsort(-importance, kind="stable")[:e]
