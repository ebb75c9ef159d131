"""Which sessions a model streams over: to train, or up to those that are scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recjax.data import splits
from recjax.data.sessions.read import Sessions
from recjax.errors import UserError


@dataclass(frozen=True)
class Runs:
    """Stretches of sessions, each of one user and without a hole: what rows carry.

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
    wanted = splits.in_any(parts, fit)
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
