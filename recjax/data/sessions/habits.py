"""Pair features: how much of what a user did before was about the item?"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from scipy import sparse

from recjax.data.habits import Kernel
from recjax.data.sessions.pair_features import PAD, PairContext, from_keys
from recjax.data.sessions.read import Sessions
from recjax.errors import UserError


@dataclass(frozen=True)
class Habits(Kernel):
    """log(1 + weight) of a user's earlier events of an item, log(1 + share / scale).

    The share is that of the weight of all the user's events. With a weight of 1 for the
    latter a softmax of scores is about the share itself, as counting gives it.

    `Tuned(History(), ...)` finds the settings that fit a data set.

    Attributes:
      reach: newest events of a user that are looked at.
      scale: the share at which the second feature is log 2.
    """

    reach: int = 512
    scale: float = 1e-3
    size = 2

    def open(self, sessions: Sessions, train: np.ndarray) -> HabitValues:
        """Returns the features; nothing is learnt from the data.

        Raises:
          UserError: the settings ask for times, which are not known.
        """
        del train
        if self.timed and not sessions.timed:
            raise UserError("Habits by hour, weekday or age need times of events")
        return HabitValues(self, len(sessions.item_ids))


@dataclass(frozen=True)
class HabitValues:
    """`Habits`, opened.

    Attributes:
      settings: the settings.
      num_items: `N`.
    """

    settings: Habits
    num_items: int
    size = 2

    @property
    def reach(self) -> int:
        """Newest events of a user that are looked at."""
        return self.settings.reach

    @property
    def timed(self) -> bool:
        """Whether it looks at the times of events."""
        return self.settings.timed

    def told(self) -> dict:
        """Returns the settings by name."""
        return {**asdict(self.settings), "num_items": self.num_items}

    def at(self, context: PairContext) -> tuple[sparse.csr_array, ...]:
        """Returns both features of all items, f32[Q, N]."""
        recent = context.recent[:, : self.reach]
        row, back = np.nonzero(recent != PAD)
        age = None
        if self.timed and context.age is not None:
            age = context.age[row, back]
        weight = self.settings.weights(back, age)
        if age is not None:  # An event, or the moment, without a time tells no habit.
            weight = np.where(np.isnan(age), 0.0, weight)
        key = row * np.int64(self.num_items) + recent[row, back]
        key, place = np.unique(key, return_inverse=True)
        total = np.bincount(place, weight, len(key))
        whole = np.bincount(row, weight, len(context))
        share = total / np.maximum(whole[key // self.num_items], 1e-9)
        share = np.log1p(share / self.settings.scale)
        shape = len(context), self.num_items
        return from_keys(key, np.log1p(total), shape), from_keys(key, share, shape)
