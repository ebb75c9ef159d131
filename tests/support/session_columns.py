"""Columns of events of all types and of users, for small sessions and their bundles."""

from dataclasses import replace

import column_tables
import numpy as np
import sessions as support

from recjax.data.columns import (
    CategoryColumn,
    NumberColumn,
    TextColumn,
    TimeColumn,
    VectorColumn,
)
from recjax.data.raw_values import raw_values
from recjax.evals.model import user_vectors
from recjax.models import Table
from recjax.nn.inputs import Dense, EmbeddingBag
from recjax.nn.tower import Tower
from recjax.tables.typed import Table as Rows
from recjax.text.features import NGrams

EVENTS = {
    "color": CategoryColumn(),
    "kinds": CategoryColumn(buckets=5),
    "price": NumberColumn(),
    "range": NumberColumn("price", buckets=3),
    "hour": TimeColumn("made"),
    "title": TextColumn(tokens=NGrams(9, 9, 9), length=5),
    "look": VectorColumn(),
    "code": VectorColumn(),
}
IDS, NUMBERS = ("color", "kinds", "range", "title"), ("price", "hour", "look", "code")
USERS = {"color": CategoryColumn(), "price": NumberColumn()}
COLUMNS = {"events": EVENTS, "user": USERS}
COLUMN_NAMES = ("color", "kinds", "price", "made", "title", "look", "code")
TABLES = {"words": Table(support.WIDTH)}
USER = Tower(
    {"color": EmbeddingBag("words", norm=0.0), "price": Dense(support.WIDTH)},
    support.WIDTH,
    normalize=False,
)
EVENT = Tower(
    {name: EmbeddingBag("words", norm=0.0) for name in IDS}
    | {name: Dense(support.WIDTH) for name in NUMBERS},
    support.WIDTH,
    normalize=False,
)


def with_columns(known):
    """Returns sessions whose events and users have columns, a fifth missing."""
    events = column_tables.table(len(known.item))
    users = column_tables.table(known.users, seed=1)
    tables = {"events": named(events, "id"), "user": users}
    return replace(known, tables={**known.tables, **tables})


def named(table, *but):
    """Returns a table without some columns."""
    left = {name: c for name, c in table.columns.items() if name not in but}
    return Rows(table.rows, left)


def raw(table, rows):
    """Returns column -> raw values of rows; some labels are unknown, not missing."""
    found = {n: raw_values(column, rows) for n, column in table.columns.items()}
    found["color"] = [
        "pink" if v is None and row % 2 else v
        for row, v in zip(rows, found["color"], strict=True)
    ]
    return found


def at(table, row):
    """Returns column -> raw value of one row; see `raw`."""
    return {name: value for name, (value,) in raw(table, np.array([row])).items()}


def asked(known, event):
    """Returns what a step takes of some events, but the state."""
    tables, user = known.tables, known.users_of(known.event_session[event])
    did, about = raw(tables["events"], event), raw(named(tables["user"], "id"), user)
    before = known.timestamp[np.maximum(event - 1, 0)]
    return {
        "item": [known.item_ids[i] for i in known.item[event]],
        "gap": known.timestamp[event] - before,
        "new_session": known.position[event] == 0,
        **{f"event_{name}": did[name] for name in COLUMN_NAMES},
        **{f"user_{name}": about[name] for name in USERS},
    }


def rows_of(state, count):
    """Returns the state of a user that nobody met, this often."""
    return {name: np.zeros((count, *a.shape[1:]), a.dtype) for name, a in state.items()}


def steps_agree(program, trained, own, step, size):
    """Asserts that a step gives the evaluation's queries, for the first `size` users.

    All go side by side, in a state that the caller keeps; one whose events are over
    repeats the last.
    """
    known = program.dataset.sessions
    wanted = user_vectors(program, trained, np.arange(len(known.item)))
    blank = {n: np.asarray(v) for n, v in own["close"].blank.items()}
    state, unknown = rows_of(blank, size), 0
    edges = known.session_start[known.user_start[: size + 1]]
    first, stop = edges[:-1], edges[1:]
    for age in range((stop - first).max()):
        event = np.minimum(first + age, stop - 1)
        given = asked(known, event)
        unknown += given["event_color"].count("pink")
        found = step({**given, **state})
        there = first + age < stop
        got = np.asarray(found["user"])[there]
        np.testing.assert_allclose(got, wanted[event[there]], atol=1e-4)
        state = {name: np.asarray(found[name]) for name in state}
    assert unknown or size == 1
