"""Splits of sessions into train, validation and test; what to stream and score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from recjax.data.sessions.read import Sessions
from recjax.data.splits import SPLITS, TEST, TRAIN, VALIDATION, time_split
from recjax.errors import UserError


class SessionSplit(Protocol):
    """Says to which part each session belongs."""

    def parts(self, data: Sessions) -> np.ndarray:
        """Returns TRAIN, VALIDATION or TEST of each session, i8[S]."""
        ...


@dataclass(frozen=True)
class LastSessionOut:
    """The last session of each user is test, the one before validation.

    A user of two sessions has no validation, a user of one session only trains.
    """

    def parts(self, data: Sessions) -> np.ndarray:
        """Returns the part of each session, i8[S]."""
        counts = np.diff(data.user_start)
        from_end = np.repeat(data.user_start[1:], counts) - np.arange(counts.sum())
        own = np.repeat(counts, counts)
        parts = np.full(len(own), TRAIN, np.int8)
        parts[(from_end == 1) & (own >= 2)] = TEST
        parts[(from_end == 2) & (own >= 3)] = VALIDATION
        return parts


@dataclass(frozen=True)
class ColdStart:
    """Users are split: those of test are new, and answered from an empty state.

    Attributes:
      fractions: share of *users* in train, validation and test, in their order in the
        data, as HierTCN's code does.
    """

    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)

    def __post_init__(self) -> None:
        """Checks the fractions.

        Raises:
          ValueError: they are not above 0 or do not sum to 1.
        """
        if min(self.fractions) <= 0 or not math.isclose(sum(self.fractions), 1):
            raise ValueError(f"fractions {self.fractions} must be > 0 and sum to 1")

    def parts(self, data: Sessions) -> np.ndarray:
        """Returns the part of each session, i8[S]."""
        ends = np.floor(np.cumsum(self.fractions)[:-1] * data.users + 1e-6)
        of_user = np.searchsorted(ends, np.arange(data.users), side="right")
        return np.repeat(of_user, np.diff(data.user_start)).astype(np.int8)


@dataclass(frozen=True)
class WarmStart:
    """Time is split: users are known, their later sessions are test.

    Attributes:
      fractions: share of *sessions* in train, validation and test, by the time at which
        they start.
    """

    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)

    def parts(self, data: Sessions) -> np.ndarray:
        """Returns the part of each session, i8[S].

        Raises:
          UserError: the data has no times.
        """
        if not data.timed:
            raise UserError("a warm-start split needs timestamps; this data has none")
        return time_split(data.timestamp[data.session_start[:-1]], self.fractions)


@dataclass(frozen=True)
class Runs:
    """Stretches of sessions, each of one user and without a hole: what lanes carry.

    Attributes:
      first: first session of each run, i64[R].
      count: sessions of each run, i64[R].
    """

    first: np.ndarray
    count: np.ndarray

    def __len__(self) -> int:
        """Returns `R`."""
        return len(self.first)


def training_runs(data: Sessions, parts: np.ndarray, fit: Sequence[str]) -> Runs:
    """Returns the sessions that train a model, user by user.

    Args:
      data: the sessions.
      parts: the part of each session [S].
      fit: names of the splits that train.

    Raises:
      UserError: no session trains, or a user's training sessions have a hole.
    """
    wanted = np.isin(parts, [SPLITS[name] for name in fit])
    if not wanted.any():
        raise UserError(f"no session is in {', '.join(fit)}: prepare more data")
    chosen, user = np.flatnonzero(wanted), data.session_user[wanted]
    start = np.r_[True, user[1:] != user[:-1]]
    if (np.diff(chosen)[~start[1:]] != 1).any():
        raise UserError(
            f"fit={tuple(fit)}: the sessions of a user in these splits have a hole; "
            "fit splits that follow each other"
        )
    first = chosen[start]
    return Runs(first, np.diff(np.r_[np.flatnonzero(start), len(chosen)]))


def scoring_runs(data: Sessions, sessions: np.ndarray) -> Runs:
    """Returns the users of sessions, each from the first to the last of those.

    Earlier sessions are in it too: they make the user's state.

    Args:
      data: the sessions.
      sessions: those that are scored, rising [n].
    """
    user = data.session_user[sessions]
    last = sessions[np.r_[user[1:] != user[:-1], True][: len(user)]]
    first = data.user_start[np.unique(user)]
    return Runs(first, last - first + 1)
