"""Online sessions: a state for each user, one event at a time, scores of all items.

A user's state has a fixed size, so an event costs the same after ten events and after
a million. The step is the training model's own code over rows of one event; what it
gives is bit for bit what `recjax.users.paper.replay` gives for whole logs, since both
run the one compiled step.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle.session_state import SessionState, step_arrays
from recjax.errors import UserError, nearest
from recjax.index.exact import largest
from recjax.index.item_vectors import Found, ItemVectors
from recjax.seconds import SECOND_NS
from recjax.serve import recent_events
from recjax.serve.live_clicks import LiveClicks, live
from recjax.serve.moments import COUNTS, Moment, nanoseconds, place
from recjax.serve.state_file import read_arrays, read_texts, refuse_other, write_arrays

ROWS = 8
"""Users of one call of the step: its shape never changes, so neither do its bits."""
USERS = "users"  # Where their ids lie in a file.
OF = "of"  # Where it says what the states are of.

Arrays = Mapping[str, Any]
Step = Callable[[Arrays], Arrays]
"""{"item", "position", "age": i32[ROWS, 1], "gap": f32[ROWS, 1], columns "event_...",
"user_...": [ROWS, L], "memory_...": [ROWS, ...]} -> {"user": the query before the event
f32[ROWS, D], "memory_...": after it}."""


@dataclass
class UserStates:
    """The states of all users that a server met.

    Attributes:
      step: advances users by one event.
      items: ids, titles and vectors f32[N, D]; the numbers of a query beyond `D` meet
        the features of pairs.
      kept: the memory of a user that nobody met, when a session ends, the features.
      of: what the states are of, as text by kind: "model", "bundle" and "data".
    """

    step: Step
    items: ItemVectors
    kept: SessionState
    of: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Starts without users."""
        self.pairs = tuple(map(live, self.kept.pairs))
        self._rows: dict[str, int] = {}
        self._session: dict[str, str] = {}
        self._held = self._blank(0)

    def __len__(self) -> int:
        """Returns the number of users that have a state."""
        return len(self._rows)

    def __contains__(self, user: str) -> bool:
        """Returns whether a user has a state."""
        return user in self._rows

    def last(self, user: str) -> int | None:
        """Returns nanoseconds since 1970 of a user's last event, if it had a time."""
        last = self._held["last"][self._rows[user]] if user in self else -1
        return int(last) if last >= 0 else None

    def feed(
        self,
        user: str,
        item: str,
        timestamp: Moment | None = None,
        new_session: bool = False,
        session: str | None = None,
        columns: Mapping[str, Any] | None = None,
    ) -> None:
        """Takes one event of a user.

        Args:
          user: own id; a new one starts from the empty state.
          item: own id.
          timestamp: when; not before the user's last event.
          new_session: the event starts a session, whatever the time.
          session: its session's name: another than before starts a session.
          columns: raw values of the event's columns; one left out is missing.

        Raises:
          UserError: an unknown item, an event from the past, or a column or a value
            that the model does not take.

        Example:
          states.feed("u1", "i7", 1_700_000_000, columns={"device": "phone"})
        """
        if item not in self.items.rows:
            raise UserError(
                f"event of user {user!r}: there is no item {item!r}."
                + nearest(item, self.items.ids)
            )
        position, when = self.items.rows[item], nanoseconds(timestamp)
        new_session |= self._ends(user, session)
        seconds = None if when is None else when / SECOND_NS
        known = {"user": user, "item": item, "session": session, "timestamp": seconds}
        did = self.kept.event.of_one(columns or {}, **known)
        at, out = self._stepped(user, position + 1, when, new_session, did)
        for clicks in self._clicks():
            clicks.feed(position, None if when is None else when // SECOND_NS)
        row = self._row(user)
        for name in self.kept.empty:
            self._held[name][row] = np.asarray(out[name])[0]
        self._held["position"][row] = at["position"] + 1
        self._held["age"][row] += 1
        self._held["open"][row] = True
        self._held["gap"][row] = at["gap"]
        recent_events.remember(self._held, row, position, when)
        if when is not None:
            self._held["last"][row] = when
        if session is not None:
            self._session[user] = session

    def about(self, user: str, columns: Mapping[str, Any]) -> None:
        """Takes raw values of a user's columns, in place of those given before.

        Raises:
          UserError: a column or a value that the model does not take.
        """
        made = self.kept.user.of_one(columns)
        row = self._row(user)
        for name, array in made.items():
            self._held[name][row] = array

    def described(self, user: str) -> bool:
        """Returns whether anything is known of a user's columns."""
        row, held = self._found(user)
        return any((held[n][row] != a).any() for n, a in self.kept.user.blank.items())

    def close(self, user: str) -> None:
        """Ends a user's session: the next event, or the next scores, update the state.

        Raises:
          UserError: nobody met the user.
        """
        self._held["open"][self._known(user)] = False

    def query(
        self, user: str, timestamp: Moment | None = None, new_session: bool = False
    ) -> np.ndarray:
        """Returns the vector that meets the items, f32[D]; the state stays as it is."""
        # What the event is has no part in the vector before it: any item will do.
        _, out = self._stepped(user, 1, nanoseconds(timestamp), new_session)
        return np.asarray(out["user"])[0]

    def scores(
        self, user: str, timestamp: Moment | None = None, new_session: bool = False
    ) -> np.ndarray:
        """Returns the score of every item as the user's next, f32[N]."""
        query, vectors = self.query(user, timestamp, new_session), self.items.vectors
        when = nanoseconds(timestamp)
        scores = vectors @ query[: vectors.shape[1]]
        for weight, feature in zip(
            query[vectors.shape[1] :], self._features(user, when), strict=True
        ):
            scores[feature.indices] += weight * feature.data
        return scores

    def best(
        self,
        user: str,
        k: int,
        timestamp: Moment | None = None,
        new_session: bool = False,
    ) -> list[Found]:
        """Returns the best `k` items, best first.

        Raises:
          UserError: `k` is not positive.
        """
        if k < 1:
            raise UserError(f"k = {k}: ask for at least one result")
        scores = self.scores(user, timestamp, new_session)
        (items,), (best,) = largest(scores[None], min(k, len(scores)))
        return self.items.found(items, best)

    def save(self, path: str | Path) -> None:
        """Writes all states to one file; the old one is replaced once it is whole."""
        users = {user: self._session.get(user) for user in self._rows}
        texts = {USERS: json.dumps(users), OF: json.dumps(dict(self.of))}
        held = {name: array[: len(self)] for name, array in self._held.items()}
        named = {n: np.frombuffer(t.encode(), np.uint8) for n, t in texts.items()}
        write_arrays(Path(path), {**named, **held, **self._counted()})

    def load(self, path: str | Path) -> None:
        """Reads what `save` wrote; the states held now are gone.

        Raises:
          UserError: the file is missing, damaged, or of another model or other items.
        """
        blank, counted = self._blank(0), self._counted()
        told = read_texts(Path(path), (USERS, OF))
        users = told[USERS]
        refuse_other(path, told[OF], self.of)
        held = read_arrays(Path(path), (*blank, *counted))
        for name, empty in blank.items():
            shape = (len(users), *empty.shape[1:])
            if held[name].shape != shape or held[name].dtype != empty.dtype:
                raise UserError(
                    f"{path}: {name} is {held[name].shape}, this model keeps {shape}: "
                    "the states are of another model"
                )
        for number, clicks in enumerate(self._clicks()):
            own = {n: held.pop(f"clicks{number}_{n}") for n in clicks.arrays}
            clicks.restore(own)
        self._rows = {user: row for row, user in enumerate(users)}
        self._session = {user: name for user, name in users.items() if name is not None}
        self._held = held

    def _ends(self, user: str, session: str | None) -> bool:
        """Returns whether an event of a session of some name starts it."""
        return session is not None and self._session.get(user, session) != session

    def _counted(self) -> dict[str, np.ndarray]:
        """Returns the clicks of everybody, where the model counts them."""
        return {
            f"clicks{number}_{name}": array
            for number, clicks in enumerate(self._clicks())
            for name, array in clicks.arrays.items()
        }

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
        return {
            **{n: np.repeat(one[None], users, 0) for n, one in self.kept.unmet.items()},
            "position": np.zeros(users, np.int64),
            "age": np.zeros(users, np.int64),
            "open": np.zeros(users, bool),
            "last": np.full(users, -1, np.int64),
            "gap": np.zeros(users, np.float32),
            **recent_events.blank(users, self.pairs),
        }

    def _found(self, user: str) -> tuple[int, dict[str, np.ndarray]]:
        """Returns the row of a user, and the arrays that hold it."""
        row = self._rows.get(user)
        return (0, self._blank(1)) if row is None else (row, self._held)

    def _features(self, user: str, when: int | None) -> list[Any]:
        """Returns each feature of all items for a user now, [1, N]."""
        row, held = self._found(user)
        moment = recent_events.moment(held, row, when)
        return [feature for values in self.pairs for feature in values.at(moment)]

    def _known(self, user: str) -> int:
        if user not in self._rows:
            raise UserError(f"there is no state of user {user!r}: no event came yet")
        return self._rows[user]

    def _stepped(
        self,
        user: str,
        item: int,
        when: int | None,
        new_session: bool,
        did: Arrays | None = None,
    ) -> tuple[dict[str, Any], Arrays]:
        """Returns position, age and gap of an event now, and the step of it."""
        row, held = self._found(user)
        counts = {name: held[name][row].item() for name in COUNTS}
        at = place(counts, self.kept.rules, user, when, new_session)
        # Users of the other rows are nobody.
        arrays = step_arrays(self.kept.blank, ROWS)
        memory = {name: held[name][row] for name in self.kept.unmet}
        for name, value in {"item": item, **at, **memory, **(did or {})}.items():
            arrays[name][0] = value
        return at, self.step(arrays)
