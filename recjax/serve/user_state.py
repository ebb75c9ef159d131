"""Online sessions: a state for each user, one event at a time, scores of all items.

A user's state has a fixed size, so an event costs the same after ten events and after
a million. The step is the training model's own code over rows of one event; what it
gives is bit for bit what `recjax.users.paper.replay` gives for whole logs, since both
run the one compiled step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from recjax.data.sessions.pair_features import PAD, PairContext, PairValues
from recjax.errors import UserError, nearest
from recjax.serve.live_clicks import LiveClicks
from recjax.serve.state_file import read_states, write_states

LANES = 8
"""Users of one call of the step: its shape never changes, so neither do its bits."""
CLICKS = ".clicks.npz"
"""Ending of the file of clicks, in place of that of the states."""

Arrays = Mapping[str, Any]
Step = Callable[[Arrays], Arrays]
"""{"item", "position", "age": i32[LANES, 1], "gap": f32[LANES, 1], "memory/...":
[LANES, ...]} -> {"user": the query before the event f32[LANES, D], "memory/...": after
it}."""


@dataclass(frozen=True)
class Answer:
    """One item for a user.

    Attributes:
      id: the item's own id.
      score: its score.
    """

    id: str
    score: float


@dataclass
class UserStates:
    """The states of all users that a server met.

    Attributes:
      step: advances users by one event.
      vectors: item vectors f32[N, D], as `embed` gives them; the numbers of a query
        beyond `D` meet the features of pairs.
      item_ids: the items' own ids [N].
      empty: the memory of a user that nobody met, name -> array without lanes.
      idle: seconds without an event after which a session has ended; None: sessions
        end by `close` or by `new_session` alone.
      pairs: features of an item for a user at a moment.
    """

    step: Step
    vectors: np.ndarray
    item_ids: tuple[str, ...]
    empty: Arrays
    idle: int | None = None
    pairs: tuple[PairValues, ...] = ()
    _rows: dict[str, int] = field(default_factory=dict)
    _held: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Indexes the items."""
        self._places = {id: position for position, id in enumerate(self.item_ids, 1)}
        if not self._held:
            self._held = self._blank(0)

    def __len__(self) -> int:
        """Returns the number of users that have a state."""
        return len(self._rows)

    def __contains__(self, user: str) -> bool:
        """Returns whether a user has a state."""
        return user in self._rows

    def feed(
        self,
        user: str,
        item: str,
        timestamp: int | None = None,
        new_session: bool = False,
    ) -> None:
        """Takes one event of a user.

        Args:
          user: own id; a new one starts from the empty state.
          item: own id.
          timestamp: unix seconds; not before the user's last event.
          new_session: the event starts a session, whatever the time.

        Raises:
          UserError: an unknown item, or an event from the past.
        """
        if item not in self._places:
            raise UserError(
                f"event of user {user!r}: there is no item {item!r}."
                + nearest(item, self.item_ids)
            )
        row = self._row(user)
        at = self._asked(row, user, timestamp, new_session)
        for clicks in self._clicks():
            clicks.feed(self._places[item] - 1, timestamp)
        out = self.step(self._call(row, self._places[item], at))
        for name in self.empty:
            self._held[name][row] = np.asarray(out[name])[0]
        self._held["position"][row] = at["position"] + 1
        self._held["age"][row] += 1
        self._held["open"][row] = True
        self._held["gap"][row] = at["gap"]
        recent = self._held["recent"][row]
        recent[1:] = recent[:-1]
        recent[:1] = self._places[item] - 1
        if timestamp is not None:
            self._held["last"][row] = timestamp

    def close(self, user: str) -> None:
        """Ends a user's session: the next event, or the next scores, update the state.

        Raises:
          UserError: nobody met the user.
        """
        self._held["open"][self._known(user)] = False

    def query(
        self, user: str, timestamp: int | None = None, new_session: bool = False
    ) -> np.ndarray:
        """Returns the vector that meets the items, f32[D]; the state stays as it is."""
        row = self._rows.get(user)
        if row is None:
            row, held = 0, self._blank(1)
        else:
            held = self._held
        at = self._asked(row, user, timestamp, new_session, held)
        # What the event is has no part in the vector before it: any item will do.
        return np.asarray(self.step(self._call(row, 1, at, held))["user"])[0]

    def scores(
        self, user: str, timestamp: int | None = None, new_session: bool = False
    ) -> np.ndarray:
        """Returns the score of every item as the user's next, f32[N]."""
        query, width = self.query(user, timestamp, new_session), self.vectors.shape[1]
        scores = self.vectors @ query[:width]
        for weight, feature in zip(
            query[width:], self._features(user, timestamp), strict=True
        ):
            scores[feature.indices] += weight * feature.data
        return scores

    def best(
        self,
        user: str,
        k: int,
        timestamp: int | None = None,
        new_session: bool = False,
    ) -> list[Answer]:
        """Returns the best `k` items, best first.

        Raises:
          UserError: `k` is not positive.
        """
        if k < 1:
            raise UserError(f"k = {k}: ask for at least one result")
        scores = self.scores(user, timestamp, new_session)
        k = min(k, len(scores))
        top = np.argpartition(-scores, k - 1)[:k]
        top = top[np.argsort(-scores[top], kind="stable")]
        return [Answer(self.item_ids[i], float(scores[i])) for i in top]

    def save(self, path: str | Path) -> None:
        """Writes all states to one file; the old one is replaced once it is whole.

        Clicks of everybody, where a model counts them, go to a file beside it.
        """
        size, path = len(self._rows), Path(path)
        held = {name: array[:size] for name, array in self._held.items()}
        write_states(path, list(self._rows), held)
        for clicks in self._clicks():
            clicks.save(path.with_suffix(CLICKS))

    def load(self, path: str | Path) -> None:
        """Reads what `save` wrote; the states held now are gone.

        Raises:
          UserError: the file is missing, damaged, or of another model.
        """
        path = Path(path)
        users, held = read_states(path, self._blank(0))
        for clicks in self._clicks():
            clicks.load(path.with_suffix(CLICKS))
        self._rows = {user: row for row, user in enumerate(users)}
        self._held = held

    def _clicks(self) -> list[LiveClicks]:
        return [values for values in self.pairs if isinstance(values, LiveClicks)]

    def _row(self, user: str) -> int:
        row = self._rows.setdefault(user, len(self._rows))
        size = len(self._held["age"])
        if row >= size:
            more = self._blank(max(size, 16))
            self._held = {
                name: np.concatenate([array, more[name]])
                for name, array in self._held.items()
            }
        return row

    def _blank(self, users: int) -> dict[str, np.ndarray]:
        memory = {name: np.asarray(one) for name, one in self.empty.items()}
        reach = max((values.reach for values in self.pairs), default=0)
        return {
            **{name: np.repeat(one[None], users, 0) for name, one in memory.items()},
            "position": np.zeros(users, np.int64),
            "age": np.zeros(users, np.int64),
            "open": np.zeros(users, bool),
            "last": np.full(users, -1, np.int64),
            "gap": np.zeros(users, np.float32),
            "recent": np.full((users, reach), PAD, np.int32),
        }

    def _features(self, user: str, timestamp: int | None) -> list[Any]:
        """Returns each feature of all items for a user now, [1, N]."""
        held, row = self._held, self._rows.get(user)
        recent = self._blank(1)["recent"] if row is None else held["recent"][[row]]
        when = PAD if timestamp is None else timestamp
        moment = PairContext(recent, np.array([when]), np.array([PAD]))
        return [feature for values in self.pairs for feature in values.at(moment)]

    def _known(self, user: str) -> int:
        if user not in self._rows:
            raise UserError(f"there is no state of user {user!r}: no event came yet")
        return self._rows[user]

    def _asked(
        self,
        row: int,
        user: str,
        timestamp: int | None,
        new_session: bool,
        held: Mapping[str, np.ndarray] | None = None,
    ) -> dict[str, Any]:
        """Returns position, age and gap of an event that comes now."""
        held = self._held if held is None else held
        age, last = int(held["age"][row]), int(held["last"][row])
        gap = 0 if timestamp is None or not age or last < 0 else timestamp - last
        if gap < 0:
            raise UserError(
                f"event of user {user!r} at {timestamp}: the last one was at {last}; "
                "feed events in the order of their time"
            )
        idle = self.idle is not None and gap >= self.idle
        goes_on = bool(held["open"][row]) and not new_session and not idle
        position = int(held["position"][row]) if goes_on else 0
        # The gap is that before the session: what has decayed stays so inside it.
        return {
            "position": position,
            "age": age,
            "gap": float(held["gap"][row]) if goes_on else gap,
        }

    def _call(
        self,
        row: int,
        item: int,
        at: Mapping[str, Any],
        held: Mapping[str, np.ndarray] | None = None,
    ) -> dict[str, np.ndarray]:
        held = self._held if held is None else held
        arrays = {name: np.zeros((LANES, 1), np.int32) for name in ("position", "age")}
        arrays["item"] = np.full((LANES, 1), 1, np.int32)
        arrays["gap"] = np.zeros((LANES, 1), np.float32)
        arrays["item"][0] = item
        for name, value in at.items():
            arrays[name][0] = value
        for name, empty in self.empty.items():
            whole = np.empty((LANES, *empty.shape), empty.dtype)
            whole[:] = empty
            whole[0] = held[name][row]
            arrays[name] = whole
        return arrays
