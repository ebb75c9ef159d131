"""What the `recjax session` commands do with a bundle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from recjax.bundle.open import open_bundle
from recjax.errors import UserError
from recjax.serve.user_state import UserStates
from recjax.tables.columns import Column
from recjax.tables.read import read
from recjax.tables.report import Findings
from recjax.tables.result import Options

EVENTS = (
    Column("user", "id"),
    Column("item", "id"),
    Column("timestamp", "timestamp", required=False),
    Column("session", "id", required=False),
)

SECOND = 10**9
"""Nanoseconds of one, which tables hold."""


def open_states(bundle: str | Path, states: Path | None = None) -> UserStates:
    """Opens a bundle of a session model, and the file of states that a server saved.

    Raises:
      UserError: it is no such bundle, or a file is missing or damaged.
    """
    opened = open_bundle(bundle)
    kept = opened.session
    items = replace(opened.items, vectors=np.array(opened.items.vectors))
    users = UserStates(opened.functions["step"], items, kept)
    if states is not None:
        users.load(states)
    return users


def feed_file(states: UserStates, path: Path) -> int:
    """Feeds a file of events, sorted by time, and returns how many.

    Its columns are user, item and maybe timestamp and session (any name; another name
    starts another session).

    Raises:
      UserError: the file or one of its rows is bad; no state is changed by that row.
    """
    findings = Findings()
    events = read(path, EVENTS, Options(), findings)
    if events is None or not findings.report().ok:
        raise UserError(str(findings.report()))
    columns = events.table.columns
    ids = {
        name: (columns[name].vocabulary, columns[name].array)
        for name in ("user", "item", "session")
        if name in columns
    }
    when = columns["timestamp"].array // SECOND if "timestamp" in columns else None
    order = np.arange(events.table.rows)
    if when is not None:
        order = np.argsort(when, kind="stable")
    sessions: dict[str, str] = {}
    for at in order.tolist():
        event = {name: labels[codes[at]] for name, (labels, codes) in ids.items()}
        user, name = event["user"], event.get("session")
        new = name is not None and sessions.get(user, name) != name
        try:
            time = None if when is None else int(when[at])
            states.feed(user, event["item"], time, new)
        except UserError as error:
            row = events.rows(np.array([at]))[1][0]
            raise UserError(f"{path}, row {row}: {error}") from error
        sessions[user] = name or ""
    return len(order)
