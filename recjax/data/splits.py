"""Splits into train, validation and test, named once for all kinds of data.

A split says of each example (an event, a session, a judged pair, an image) to which
part it belongs. Each is deterministic: the same examples have the same parts.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from recjax.errors import UserError, nearest

log = logging.getLogger(__name__)
TRAIN, VALIDATION, TEST = 0, 1, 2
WORDS = {
    **{"time": "timestamps", "user": "users", "item": "items", "query": "queries"},
    "column": "a split",
}
FEW = 100
"""Examples of a part below which its figures are mostly chance."""


class Splits(dict[str, int]):
    """Name of a split -> its number."""

    def __missing__(self, name: str) -> int:
        """Raises UserError: there is no such split."""
        known = ", ".join(map(repr, self))
        raise UserError(f"no split {name!r}; choose {known}.{nearest(name, self)}")


SPLITS = Splits(train=TRAIN, validation=VALIDATION, test=TEST)


@dataclass(frozen=True)
class Examples:
    """What is known of `E` examples that are to be split; None for what is not.

    Attributes:
      what: their name in messages: "events".
      user: the user of each [E]; a user's stand together, the oldest first.
      time: of each, i64[E].
      item: the item of each [E].
      query: the texts of all queries, and the query of each example [E].
      column: a given column `split` of numbers in `SPLITS`, [E].
    """

    what: str
    user: np.ndarray | None = None
    time: np.ndarray | None = None
    item: np.ndarray | None = None
    query: tuple[Sequence[str], np.ndarray] | None = None
    column: np.ndarray | None = None


class _Split:
    needs: ClassVar[str]
    """The attribute of `Examples` that decides."""
    fix: ClassVar[str]
    """How to get examples into an empty part."""

    def parts(self, examples: Examples) -> np.ndarray:
        """Returns TRAIN, VALIDATION or TEST of each example, i8[E].

        Raises:
          UserError: what the split needs is not known, or does not fit its settings.
        """
        value = getattr(examples, self.needs)
        if value is None:
            raise UserError(
                f"data.split = {type(self).__name__} needs {WORDS[self.needs]}, which "
                f"these {examples.what} do not have; choose another split"
            )
        return self._parts(value)

    def _parts(self, value: Any) -> np.ndarray:
        raise NotImplementedError


@dataclass(frozen=True)
class _Fractions(_Split):
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)

    def __post_init__(self) -> None:
        """Raises ValueError: the fractions are no shares."""
        if min(self.fractions, default=0) <= 0 or not math.isclose(
            sum(self.fractions), 1
        ):
            raise ValueError(
                f"Split fractions {self.fractions} must be above 0 and sum to 1, "
                "for example 0.8 0.1 0.1."
            )

    def ends(self, size: int) -> np.ndarray:
        # Sums such as .8 + .1 fall just below the integer that they mean.
        return np.floor(np.cumsum(self.fractions)[:-1] * size + 1e-6).astype(int)


@dataclass(frozen=True)
class ByTime(_Fractions):
    """Parts follow each other in time.

    Part `p` ends where the share of examples before it would exceed the sum of
    fractions up to `p`. Examples of one timestamp are never parted: those of the
    boundary's timestamp all go to the later part, which can leave a part small.

    Attributes:
      fractions: shares of train, validation and test; above 0, summing to 1.
    """

    needs, fix = "time", "give it a larger share in data.split.fractions"

    def _parts(self, value: np.ndarray) -> np.ndarray:
        time = np.asarray(value)
        if not time.size:
            return np.zeros(0, np.int8)
        ends = np.minimum(self.ends(time.size), time.size - 1)
        boundaries = np.sort(time)[ends]
        return np.searchsorted(boundaries, time, side="right").astype(np.int8)


@dataclass(frozen=True)
class FromTime(_Split):
    """What happened from a moment on is the test.

    Attributes:
      start: the moment, unix seconds.
      validation: share of the examples before it, the latest of them, that validate.
    """

    start: int
    validation: float = 0.05
    needs, fix = "time", "raise data.split.validation, or move data.split.start"

    def _parts(self, value: np.ndarray) -> np.ndarray:
        time = value
        late = time >= self.start
        if late.all() or not late.any():
            raise UserError(
                f"data.split.start = {self.start}: the timestamps are {time.min()} to "
                f"{time.max()}; choose a moment between them, or another split"
            )
        start = np.quantile(time[~late], 1 - self.validation, method="higher")
        newest = (time >= start) & ~late
        return np.where(late, TEST, np.where(newest, VALIDATION, TRAIN)).astype(np.int8)


@dataclass(frozen=True)
class LastOut(_Split):
    """The last example of each user is test, the one before validation.

    A user of two has no validation, a user of one only trains.
    """

    needs = "user"
    fix = "it takes users with two or more (validation: three), or ByUser((.8, .1, .1))"

    def _parts(self, value: np.ndarray) -> np.ndarray:
        counts = np.unique(value, return_counts=True)[1]
        own = np.repeat(counts, counts)
        from_end = np.repeat(np.cumsum(counts), counts) - np.arange(len(value))
        parts = np.full(len(value), TRAIN, np.int8)
        parts[(from_end == 1) & (own >= 2)] = TEST
        parts[(from_end == 2) & (own >= 3)] = VALIDATION
        return parts


@dataclass(frozen=True)
class ByUser(_Fractions):
    """Users are split: those of the test are new.

    Attributes:
      fractions: shares of *users* in train, validation and test, in their order in the
        data, as HierTCN's code does; above 0, summing to 1.
    """

    needs, fix = "user", "bring more users, or give it more in data.split.fractions"

    def _parts(self, value: np.ndarray) -> np.ndarray:
        users, of = np.unique(value, return_inverse=True)
        ends = self.ends(len(users))
        return np.searchsorted(ends, of, side="right").astype(np.int8)


@dataclass(frozen=True)
class ByItem(_Fractions):
    """Items are split: those of the test are new.

    Attributes:
      fractions: shares of *items* in train, validation and test, drawn by `seed`; above
        0, summing to 1.
      seed: of the draw.
    """

    seed: int = 0
    needs, fix = "item", "bring more items, or give it more in data.split.fractions"

    def _parts(self, value: np.ndarray) -> np.ndarray:
        items, of = np.unique(value, return_inverse=True)
        drawn = np.random.default_rng(self.seed).permutation(len(items))
        return np.searchsorted(self.ends(len(items)), drawn[of], side="right").astype(
            np.int8
        )


@dataclass(frozen=True)
class ByQuery(_Split):
    """Queries are split by the MD5 of their text: a part depends on no other query.

    Of the number modulo `folds`, `fold` is test, the next one validation, the rest
    train. So `ByQuery(5, 0)` to `ByQuery(5, 4)` are a cross-validation of five folds.

    Attributes:
      folds: how many there are.
      fold: which is the test, from 0.
    """

    folds: int = 10
    fold: int = 0
    needs, fix = "query", "bring more queries, or take another data.split.fold"

    def __post_init__(self) -> None:
        """Raises ValueError: too few folds, or no such fold."""
        if self.folds < 3 or not 0 <= self.fold < self.folds:
            raise ValueError(
                f"fold {self.fold} of {self.folds}: three folds at least, from 0"
            )

    def _parts(self, value: tuple[Sequence[str], np.ndarray]) -> np.ndarray:
        texts, query = value
        return self.of_texts(texts)[query]

    def of_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Returns the part of each query text, i8[Q]."""
        part = {self.fold: TEST, (self.fold + 1) % self.folds: VALIDATION}
        digests = (hashlib.md5(t.encode(), usedforsecurity=False) for t in texts)
        digits = (int(digest.hexdigest(), 16) % self.folds for digest in digests)
        return np.array([part.get(digit, TRAIN) for digit in digits], np.int8)


@dataclass(frozen=True)
class ByColumn(_Split):
    """The data says it, in a column `split` of "train", "validation" and "test"."""

    needs, fix = "column", "name it in the column split, and prepare the data again"

    def _parts(self, value: np.ndarray) -> np.ndarray:
        return value


Split = ByTime | FromTime | LastOut | ByUser | ByItem | ByQuery | ByColumn


def members(
    part: np.ndarray, name: str, split: Split, what: str = "examples"
) -> np.ndarray:
    """Returns the positions of a part's examples; warns where they are few.

    Args:
      part: of each example, i8[E].
      name: of the part.
      split: how it was split.
      what: the examples are.

    Raises:
      UserError: there is no such part, or it is empty.
    """
    found = np.flatnonzero(part == SPLITS[name])
    kind = type(split).__name__
    if not len(found):
        raise UserError(
            f"none of {len(part)} {what} is in the split {name!r} ({kind}): {split.fix}"
        )
    if len(found) < FEW:
        _warn(f"only {len(found)} of {len(part)} {what} are in {name} (split {kind})")
    return found


def in_any(part: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Returns whether each example is in one of some parts."""
    return np.isin(part, [SPLITS[name] for name in names])


def counts(part: np.ndarray, what: str) -> dict[str, int]:
    """Returns "train events" and so on -> how many there are."""
    return {f"{name} {what}": int((part == n).sum()) for name, n in SPLITS.items()}


@functools.cache
def _warn(message: str) -> None:
    """Warns, of one thing but once."""
    log.warning(message)
