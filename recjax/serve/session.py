"""What the `recjax session` commands do with a bundle."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from recjax.bundle.open import open_bundle
from recjax.data.sessions.pair_features import PairValues
from recjax.data.sessions.recent_popularity import RecentPopularityValues
from recjax.errors import UserError
from recjax.serve.live_clicks import LiveClicks
from recjax.serve.user_state import Answer, UserStates


def open_states(bundle: str | Path, states: Path | None = None) -> UserStates:
    """Opens a bundle, and the states that a server saved.

    Args:
      bundle: folder that `recjax export` wrote of a session model.
      states: file of states; None for none.

    Raises:
      UserError: it is no such bundle, or a file is missing or damaged.
    """
    opened = open_bundle(bundle)
    kept = opened.session
    users = UserStates(
        opened.functions["step"],
        np.asarray(opened.items.vectors),
        opened.items.ids,
        kept.empty,
        kept.idle,
        tuple(map(_live, kept.pairs)),
    )
    if states is not None:
        users.load(states)
    return users


def feed_file(states: UserStates, path: Path) -> int:
    """Feeds a CSV file of events in its order, and returns how many.

    Its columns are user, item and maybe timestamp (unix seconds) and session (any name;
    another name starts another session).

    Raises:
      UserError: the file or one of its rows is bad; no state is changed by that row.
    """
    sessions: dict[str, str] = {}
    fed = 0
    for row, event in _rows(path):
        user, name = event["user"], event.get("session")
        new = name is not None and sessions.get(user, name) != name
        try:
            when = int(event["timestamp"]) if "timestamp" in event else None
        except ValueError:
            raise UserError(
                f"{path}, row {row}, column timestamp: {event['timestamp']!r} is no "
                "whole number of seconds"
            ) from None
        try:
            states.feed(user, event["item"], when, new)
        except UserError as error:
            raise UserError(f"{path}, row {row}: {error}") from error
        sessions[user] = name or ""
        fed += 1
    return fed


def _live(values: PairValues | RecentPopularityValues) -> PairValues:
    if isinstance(values, RecentPopularityValues):
        return LiveClicks(values.settings, values.first)
    return values


def answers(found: Sequence[Answer], as_json: bool) -> str:
    """Returns results as text for a person or as JSON."""
    if as_json:
        return json.dumps([vars(one) for one in found], indent=2)
    return "\n".join(["   score  id", *(f"{o.score:8.4f}  {o.id}" for o in found)])


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            for name in ("user", "item"):
                if name not in (reader.fieldnames or ()):
                    raise UserError(
                        f"{path}: no column {name!r}, it has {reader.fieldnames}; "
                        "name the columns user, item[, timestamp][, session]"
                    )
            for event in reader:
                if None in event.values() or None in event or not event["user"]:
                    raise UserError(
                        f"{path}, row {reader.line_num}: {event} is not "
                        "one value a column"
                    )
                yield reader.line_num, event
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
