"""Features of an item for a user at a moment: what no dot product of vectors can hold.

Which items a user met before, what followed the last ones in the logs, what everybody
clicks on just now: facts about pairs of a moment and an item, most of them 0. A session
model learns how much each counts, by user, and adds them to the score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy import sparse

from recjax.data.sessions.read import Sessions

PAD = -1
LEAST = 64
"""Room for the features of a batch is a multiple of this."""


@dataclass(frozen=True)
class PairContext:
    """`Q` moments at which all items are to be scored.

    Attributes:
      recent: the user's items before, newest first i32[Q, R]; then `PAD`.
      when: unix seconds, i64[Q].
      session: the session of the data that the moment is of i64[Q]; `PAD` online.
      age: seconds since each of these events f64[Q, R], NaN where a time is unknown;
        None where no source looks at it.
    """

    recent: np.ndarray
    when: np.ndarray
    session: np.ndarray
    age: np.ndarray | None = None

    def __len__(self) -> int:
        """Returns `Q`."""
        return len(self.when)


class PairValues(Protocol):
    """The features of one source, ready to be asked.

    One that has `timed`, and it is true, looks at the ages of events.

    Attributes:
      size: number of features.
      reach: `R`, how many of a user's items are looked at.
    """

    size: int
    reach: int

    def at(self, context: PairContext) -> tuple[sparse.csr_array, ...]:
        """Returns each feature of all items, f32[Q, N], rows sorted by item."""
        ...


class PairSource(Protocol):
    """Settings of some features.

    Attributes:
      size: number of features.
    """

    size: int

    def open(self, sessions: Sessions, train: np.ndarray) -> PairValues:
        """Learns what is counted from the events that train, bool[E]."""
        ...


@dataclass(frozen=True)
class SessionPairs:
    """The features of all sources over a data set's events.

    Attributes:
      values: the sources, opened.
      sessions: the data.
      first: first event of each event's user, i64[E].
      event_session: session of each event, i32[E].
    """

    values: Sequence[PairValues]
    sessions: Sessions
    first: np.ndarray
    event_session: np.ndarray

    @classmethod
    def open(
        cls, sources: Sequence[PairSource], sessions: Sessions, train: np.ndarray
    ) -> SessionPairs:
        """Opens sources; `train` says which events may be counted, bool[E]."""
        starts = np.asarray(sessions.session_start)[sessions.user_start]
        return cls(
            tuple(source.open(sessions, train) for source in sources),
            sessions,
            np.repeat(starts[:-1], np.diff(starts)),
            sessions.event_session,
        )

    @property
    def size(self) -> int:
        """Number of features."""
        return sum(one.size for one in self.values)

    def at(self, event: np.ndarray) -> list[sparse.csr_array]:
        """Returns each feature of all items just before events i64[Q], [Q, N] each."""
        reach = max((one.reach for one in self.values), default=0)
        position = event[:, None] - 1 - np.arange(reach)
        inside = position >= self.first[event][:, None]
        position = np.maximum(position, 0)
        item = np.asarray(self.sessions.item)[position]
        when = np.asarray(self.sessions.timestamp)[event]
        age = None
        if timed(self.values):
            before = np.asarray(self.sessions.timestamp)[position]
            age = (when[:, None] - before).astype(np.float64)
        context = PairContext(
            recent=np.where(inside, item, PAD).astype(np.int32),
            when=when,
            session=self.event_session[event].astype(np.int64),
            age=age,
        )
        return [feature for one in self.values for feature in one.at(context)]

    def of_batch(
        self,
        event: np.ndarray,
        own: np.ndarray,
        drawn: np.ndarray,
        room: int = LEAST,
    ) -> dict[str, np.ndarray]:
        """Returns the features of each event's own item and of drawn items.

        Args:
          event: events i64[B, T]; `PAD` where there is none.
          own: an item of each i32[B, T].
          drawn: items i32[M].
          room: least `K`.

        Returns:
          pair_own: f32[B, T, F].
          pair_value: those of drawn items that are not 0, f32[K]; `K` is `room` times a
            power of two, filled up with zeros.
          pair_feature: number of the feature of each, i32[K].
          pair_at: event's position in the batch * M + item's in `drawn`, i32[K].
        """
        position = np.flatnonzero(event.ravel() != PAD)
        ours = np.zeros((event.size, self.size), np.float32)
        rows, own = np.arange(len(position)), own.ravel()[position]
        parts = []
        for number, feature in enumerate(self.at(event.ravel()[position])):
            ours[position, number] = feature[rows, own]
            held = feature[:, drawn].tocoo()
            at = position[held.row] * len(drawn) + held.col
            parts.append((held.data, np.full(len(at), number), at))
        value, number, at = map(np.concatenate, zip(*parts, strict=True))
        while room < len(value):
            room *= 2
        return {
            "pair_own": ours.reshape(*event.shape, -1),
            "pair_value": _filled(value, room, np.float32),
            "pair_feature": _filled(number, room, np.int32),
            "pair_at": _filled(at, room, np.int32),
        }


def timed(values: Sequence[Any]) -> bool:
    """Returns whether one of some sources looks at the ages of events."""
    return any(getattr(one, "timed", False) for one in values)


def _filled(values: np.ndarray, room: int, dtype: type) -> np.ndarray:
    out = np.zeros(room, dtype)
    out[: len(values)] = values
    return out


def from_keys(
    key: np.ndarray, value: np.ndarray, shape: tuple[int, int]
) -> sparse.csr_array:
    """Returns the sparse array with values at rising keys `row * shape[1] + column`."""
    row, column = np.divmod(key, shape[1])
    start = np.searchsorted(row, np.arange(shape[0] + 1))
    return sparse.csr_array(
        (value.astype(np.float32), column.astype(np.int32), start), shape=shape
    )
