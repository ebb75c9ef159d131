"""Columns of items, users and events, and actions, as a session model takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from recjax.data import fitted
from recjax.data.columns import Columns, ImageColumn
from recjax.data.fitted import Fitted
from recjax.data.sessions.packing import Grid
from recjax.data.sessions.read import Sessions
from recjax.errors import UserError, nearest
from recjax.tables.typed import Table

ACTION = "action"


@dataclass(frozen=True)
class SessionColumns:
    """The columns that an experiment names.

    Attributes:
      item: of items.
      user: of users.
      event: of events.
      sessions: all sessions.
    """

    item: Fitted
    user: Fitted
    event: Fitted
    sessions: Sessions

    @classmethod
    def open(
        cls, columns: Columns, sessions: Sessions, train: np.ndarray
    ) -> SessionColumns:
        """Fits them to the events that train, bool[E], and to whose and which they are.

        Raises:
          UserError: see `fitted.fit`.
        """
        for table, wanted in columns.items():
            for name, column in wanted.items():
                if isinstance(column, ImageColumn):
                    raise UserError(
                        f"data.columns.{table}.{name}: sessions read no photographs, "
                        "but their vectors: see docs/columns.md, Photographs"
                    )
        rows = {
            "item": np.unique(np.asarray(sessions.item)[train]),
            "user": np.unique(sessions.users_of(sessions.event_session[train])),
            "events": np.flatnonzero(train),
        }
        none = {name: Table(0, {}) for name in rows}
        found = fitted.fit(columns, {**none, **sessions.tables}, rows)
        return cls(found["item"], found["user"], found["events"], sessions)

    def of_items(self, ids: np.ndarray) -> dict[str, np.ndarray]:
        """Returns features [..., L] of ids from 1; id 0 reads as the first item."""
        return _shaped(self.item, np.maximum(ids - 1, 0))

    def packed(self, grid: Grid, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Returns the features of a batch, "own_columns" and so on -> feature -> array.

        Args:
          grid: the events and sessions of the batch.
          arrays: ids from 1 of their "item", and maybe of "impressions".
        """
        out = {}
        if self.item.inputs:
            for use, name in {"own": "item", "shown": "impressions"}.items():
                if name in arrays:
                    out[f"{use}_columns"] = self.of_items(arrays[name])
        if self.event.inputs:
            # Where there is no event, those of the first: nobody reads them.
            events = np.maximum(grid.event, 0)
            out["event_columns"] = _shaped(self.event, events)
        if self.user.inputs:
            users = self.sessions.users_of(np.maximum(grid.session, 0))
            out["user_columns"] = _shaped(self.user, users)
        return out


def _shaped(columns: Fitted, rows: np.ndarray) -> dict[str, np.ndarray]:
    taken = columns.take(rows.ravel())
    return {name: a.reshape(*rows.shape, -1) for name, a in taken.items()}


def target_weights(sessions: Sessions, actions: Mapping[str, float]) -> np.ndarray:
    """Returns what each event counts as a target, f32[E].

    Args:
      sessions: all sessions.
      actions: action -> its weight; of others 0. None at all: every event counts 1.

    Raises:
      UserError: the events have no actions, or not these; or a weight is not positive.
    """
    if not actions:
        return np.ones(len(sessions.item), np.float32)
    events = sessions.tables.get("events")
    if events is None or ACTION not in events:
        raise UserError("data.actions: the events have no column 'action'")
    known = list(events[ACTION].vocabulary)
    of_code = np.zeros(len(known), np.float32)
    for name, weight in actions.items():
        if name not in known or not name:
            raise UserError(
                f"data.actions.{name}: no event has the action {name!r}."
                f"{nearest(name, known)} Known are {', '.join(filter(None, known))}"
            )
        if not weight > 0:
            raise UserError(
                f"data.actions.{name} = {weight}: leave an action out that is no target"
            )
        of_code[known.index(name)] = weight
    return of_code[events[ACTION].array]
