"""Pair features: did the user meet the item before, and how long ago?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from recjax.data.sessions.pair_features import PAD, PairContext, from_keys
from recjax.data.sessions.read import Sessions


@dataclass(frozen=True)
class Repeats:
    """1 for an item that the user met, and log(how many events ago).

    Attributes:
      reach: newest events of a user that are looked at.
    """

    reach: int = 64
    size = 2

    def open(self, sessions: Sessions, train: np.ndarray) -> RepeatValues:
        """Returns the features; nothing is learnt from the data."""
        del train
        return RepeatValues(self.reach, len(sessions.item_ids))


@dataclass(frozen=True)
class RepeatValues:
    """`Repeats`, opened.

    Attributes:
      reach: newest events of a user that are looked at.
      num_items: `N`.
    """

    reach: int
    num_items: int
    size = 2

    def at(self, context: PairContext) -> tuple[sparse.csr_array, ...]:
        """Returns both features of all items, f32[Q, N]."""
        recent = context.recent[:, : self.reach]
        row, age = np.nonzero(recent != PAD)
        key = row * np.int64(self.num_items) + recent[row, age]
        # Newest first: the first of equal keys is the newest meeting.
        key, newest = np.unique(key, return_index=True)
        shape = len(context), self.num_items
        met = from_keys(key, np.ones(len(key)), shape)
        return met, from_keys(key, np.log1p(age[newest]), shape)
