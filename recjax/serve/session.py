"""What the `recjax session` commands do with a bundle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle.items import data_of
from recjax.bundle.open import OpenBundle, open_bundle
from recjax.bundle.session_columns import ServedColumns
from recjax.data.new_items import read_items
from recjax.data.sessions.rules import SessionRules
from recjax.errors import UserError
from recjax.serve.feed_columns import columns_of
from recjax.serve.user_state import UserStates
from recjax.tables.check import given_twice
from recjax.tables.columns import Column
from recjax.tables.read import header, read
from recjax.tables.report import Findings
from recjax.tables.result import Options, Read

USER, ITEM = Column("user", "id"), Column("item", "id")
TIME = Column("timestamp", "timestamp")
SESSION = Column("session", "id")
ACTION = Column("action", "category", required=False)
SHOWN = 5


@dataclass(frozen=True)
class Fed:
    """What became of a log.

    Attributes:
      events: how many were fed.
      unknown: items that the bundle does not know -> events left out.
      notes: what was decided of the file, a line each.
    """

    events: int
    unknown: Mapping[str, int]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """For people."""
        lines = [*self.notes, f"fed {self.events:,} events"]
        if self.unknown:
            most = Counter(self.unknown).most_common(SHOWN)
            shown = ", ".join(f"{item} ({count})" for item, count in most)
            shown += ", ..." if len(self.unknown) > SHOWN else ""
            left_out = sum(self.unknown.values())
            lines.append(
                f"left out {left_out:,} events of {len(self.unknown):,} items that the "
                f"bundle does not know: {shown}"
            )
        return "\n".join(lines)


def open_states(bundle: str | Path, states: Path | None = None) -> UserStates:
    """Opens a bundle of a session model, and the file of states that a server saved.

    Raises:
      UserError: it is no such bundle, a file is missing or damaged, or the states are
        of another bundle.
    """
    users = states_of(open_bundle(bundle))
    if states is not None:
        users.load(states)
    return users


def states_of(opened: OpenBundle) -> UserStates:
    """Returns the states of an opened bundle, without users.

    Raises:
      UserError: it is not of a session model.
    """
    bundle = opened.folder
    kept, info, data = opened.session, opened.info, data_of(bundle)
    of = {
        "model": opened.model,
        "bundle": f"{bundle} ({info.get('experiment')}, step {info.get('step')})",
        "data": "its own data" if data is None else str(data),
    }
    items = replace(opened.items, vectors=np.array(opened.items.vectors))
    return UserStates(opened.functions["step"], items, kept, of)


def feed_file(states: UserStates, events: Any, options: Options | None = None) -> Fed:
    """Feeds a log, sorted by time; sessions end as those of the training data did.

    In any number of calls, each with what came after the one before, it gives the
    states of one call over all.

    Args:
      states: the states.
      events: what `tables.source.Source.of` takes, with the columns that `recjax data
        prepare --events` takes: user, item, timestamp, where the model's sessions have
        names session, and what else the model reads of events. What was missing in
        the training data too may be left out, and is told.
      options: how it is read; numbers are times in the unit of the training data, if
        not said.

    Raises:
      UserError: the log or one of its rows is bad, and then no state has changed; all
        its items are unknown; or an event is older than its user's last.
    """
    options, rules, columns = options or Options(), states.kept.rules, states.kept.event
    if options.unit is None:
        options = replace(options, unit=rules.unit)
    found, findings = _read(events, options, rules, columns)
    table = found.table
    order = np.arange(table.rows)
    if "timestamp" in table:
        order = np.argsort(table["timestamp"].array, kind="stable")
    who = "user" if "user" in table else "session"
    items, users = (_labels(found, name) for name in ("item", who))
    known = np.array([item in states.items.rows for item in table["item"].vocabulary])
    there = known[table["item"].array]
    unknown = Counter(items[at] for at in np.flatnonzero(~there).tolist())
    if table.rows and not there.any():
        raise UserError(
            f"{found.source.label}: the bundle knows none of its {len(unknown):,} "
            f"items, such as {next(iter(unknown))!r}: are they of the same catalogue?"
        )
    order = order[there[order]]
    _check_order(states, found, users, order)
    named = _labels(found, "session") if "session" in table else None
    label = found.source.label
    if "timestamp" not in table:
        text = "has no timestamp: rows count in their order, with no time between them"
        findings.note(label, text + "; a column of another name needs --rename")
    did = columns_of(table, order, columns, label, findings)
    for at, one in zip(order.tolist(), did, strict=True):
        when = None
        if "timestamp" in table:
            when = np.datetime64(int(table["timestamp"].array[at]), "ns")
        session = None if named is None else named[at]
        states.feed(users[at], items[at], when, session=session, columns=one)
    strangers = [user for user in dict.fromkeys(users) if not states.described(user)]
    if states.kept.user.inputs and strangers:
        some = ", ".join(map(repr, strangers[:SHOWN]))
        text = f"nothing is known of the columns of {len(strangers):,} users ({some}): "
        findings.note(label, text + "give them by `recjax session users`")
    return Fed(len(order), unknown, findings.report().notes)


def describe_users(
    states: UserStates, users: Path, options: Options | None = None
) -> tuple[int, tuple[str, ...]]:
    """Takes the columns of users, met or not, from a file.

    Args:
      states: the states.
      users: `user` or `id`, and the columns of users that the model reads.
      options: how it is read.

    Returns:
      How many users, and what was decided of the file, a line each.

    Raises:
      UserError: the model reads no columns of users, or the file or a row of it is bad,
        and then no state has changed.
    """
    columns, findings = states.kept.user, Findings()
    if not columns.inputs:
        raise UserError("this bundle's model reads no columns of users")
    table = read_items(users, "user", columns.schema, options or Options())
    ids = list(table["id"].vocabulary)
    told = columns_of(table, np.arange(len(ids)), columns, str(users), findings)
    for user, one in zip(ids, told, strict=True):
        states.about(user, one)
    return len(ids), findings.report().notes


def _read(
    events: Any, options: Options, rules: SessionRules, columns: ServedColumns
) -> tuple[Read, Findings]:
    """Returns the good rows, all of them, and what was decided."""
    findings, own = Findings(), {column.name: column for column in columns.schema}
    names = header(events, options, Findings()) or ()
    anonymous = rules.anonymous and "user" not in names
    timed = "timestamp" in names or rules.gap is not None
    schema = [SESSION if anonymous else USER, ITEM, *([TIME] if timed else [])]
    named = rules.gap is None and not rules.apart and not anonymous
    schema += [SESSION] if named else []
    known = {column.name for column in schema}
    more = {ACTION.name: ACTION, **own}
    schema += [column for name, column in more.items() if name not in known]
    found = read(events, schema, options, findings)
    if found is not None and timed:
        who = "session" if anonymous else "user"
        key = [who, "item", "timestamp", *["action"] * ("action" in found.table)]
        given_twice(found, key, "the same event twice", findings)
    if found is not None and found.unused:
        text = f"leaves out {', '.join(found.unused)}: nothing that this bundle reads"
        findings.note(found.source.label, text)
    report = findings.report()
    if found is None or not report.ok:
        raise UserError(str(report))
    return found, findings


def _labels(found: Read, name: str) -> Sequence[str]:
    column = found.table[name]
    return column.vocabulary.take(column.array)


def _check_order(
    states: UserStates, found: Read, users: Sequence[str], order: np.ndarray
) -> None:
    """Raises UserError where an event is older than its user's state."""
    if "timestamp" not in found.table:
        return
    when = found.table["timestamp"].array
    for at in order.tolist():
        last = states.last(users[at])
        if last is not None and when[at] < last:
            parts, rows = found.rows(np.array([at]))
            is_, was = (str(np.datetime64(int(one), "ns")) for one in (when[at], last))
            raise UserError(
                f"{found.source.parts[parts[0]].name}, row {rows[0]}: event of user "
                f"{users[at]!r} at {is_}, but the last one that was fed was at {was}: "
                "feed logs in the order of time, each once"
            )
