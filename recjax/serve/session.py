"""What the `recjax session` commands do with a bundle."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from recjax.bundle.open import open_bundle
from recjax.errors import UserError
from recjax.serve.user_state import UserStates
from recjax.tables.check import clean
from recjax.tables.columns import Column
from recjax.tables.read import read_table
from recjax.tables.report import Findings

EVENTS = (
    Column("user", "id"),
    Column("item", "id"),
    Column("timestamp", "time", required=False),
    Column("session", "id", required=False),
)


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
    """Feeds a file of events in its order, and returns how many.

    Its columns are user, item and maybe timestamp and session (any name; another name
    starts another session).

    Raises:
      UserError: the file or one of its rows is bad; no state is changed by that row.
    """
    findings = Findings()
    table = read_table(path, EVENTS, {}, "utf-8", findings)
    frame = clean(table, EVENTS, "s", time.time(), findings)
    report = findings.report()
    if frame is None or not report.ok:
        raise UserError(str(report))
    sessions: dict[str, str] = {}
    for event in frame.iter_rows(named=True):
        user, name = event["user"], event.get("session")
        new = name is not None and sessions.get(user, name) != name
        try:
            states.feed(user, event["item"], event.get("timestamp"), new)
        except UserError as error:
            raise UserError(f"{path}, row {event['row']}: {error}") from error
        sessions[user] = name or ""
    return frame.height
