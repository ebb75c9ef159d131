"""Deterministic splits: by time for interactions, by query for search."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np

from recjax.errors import UserError, nearest

TRAIN, VALIDATION, TEST = 0, 1, 2


class Splits(dict[str, int]):
    """Name of a split -> its number."""

    def __missing__(self, name: str) -> int:
        """Raises UserError: there is no such split."""
        known = ", ".join(map(repr, self))
        raise UserError(f"no split {name!r}; choose {known}.{nearest(name, self)}")


SPLITS = Splits(train=TRAIN, validation=VALIDATION, test=TEST)


def time_split(
    timestamp: np.ndarray, fractions: Sequence[float] = (0.8, 0.1, 0.1)
) -> np.ndarray:
    """Returns i8[E]: the part of each event, parts following each other in time.

    Part `p` ends where the share of events before it would exceed the sum of fractions
    up to `p`. Events of one timestamp are never parted: those of the boundary's
    timestamp all go to the later part, so a part can be smaller than its fraction.

    Args:
      timestamp: i64[E], in any order.
      fractions: the parts' shares, in time order; above 0, summing to 1.

    Raises:
      UserError: the fractions are not such shares.
    """
    if min(fractions, default=0) <= 0 or not math.isclose(sum(fractions), 1):
        raise UserError(
            f"Split fractions {tuple(fractions)} must be above 0 and sum to 1, "
            "for example 0.8 0.1 0.1."
        )
    timestamp = np.asarray(timestamp)
    if not timestamp.size:
        return np.zeros(0, np.int8)
    # Sums such as .8 + .1 fall just below the integer that they mean.
    before = np.floor(np.cumsum(fractions)[:-1] * timestamp.size + 1e-6).astype(int)
    boundaries = np.sort(timestamp)[np.minimum(before, timestamp.size - 1)]
    return np.searchsorted(boundaries, timestamp, side="right").astype(np.int8)


def query_split(queries: Sequence[str]) -> np.ndarray:
    """Returns i8[Q]: TEST, VALIDATION or TRAIN by the last digit of the text's MD5.

    `int(md5(query), 16) % 10` of 0 is test, 1 is validation, the rest train: a query's
    part never depends on the other queries.
    """
    part = {0: TEST, 1: VALIDATION}
    digits = [
        int(hashlib.md5(q.encode(), usedforsecurity=False).hexdigest(), 16) % 10
        for q in queries
    ]
    return np.array([part.get(d, TRAIN) for d in digits], np.int8)
