"""A user's log of events: checked, sorted, filtered, and cut into sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

from recjax.errors import UserError
from recjax.prepare import make, partitions
from recjax.prepare.event_rows import Rules, cut, filtered, in_order, known_rows
from recjax.prepare.gather import Reading
from recjax.prepare.options import How
from recjax.prepare.parts import Parted
from recjax.prepare.sessionize import Filter, event_tables
from recjax.tables.columns import Column
from recjax.tables.report import Findings
from recjax.tables.typed import Table
from recjax.text.column import Texts

IDS = (Column("user", "id"), Column("item", "id"))
SESSION = Column("session", "id", required=False)
SCHEMA = (
    Column("timestamp", "timestamp"),
    Column("action", "category", required=False),
    Column("rating", "number", required=False),
    Column("split", "category", required=False),
    Column("impressions", "ids", required=False, filled=False),
)


def read_events(
    reading: Reading, entities: Mapping[str, Table]
) -> tuple[dict[str, Table], dict[str, Any]] | None:
    """Returns the tables user, item and events, and how sessions were made.

    Args:
      reading: the tables and options.
      entities: those that have a table of their own.

    Returns:
      None if the events cannot be used, and then the findings say why.

    Raises:
      UserError: no event is left after the filters.
    """
    how, findings = reading.how, reading.findings
    names = reading.header("events")
    anonymous = "user" not in names and "session" in names
    ids = (replace(IDS[0], name="session"), IDS[1]) if anonymous else (*IDS, SESSION)
    found = reading.parted("events", (*ids, *SCHEMA))
    if found is None:
        return None
    sessions = "session" in found.head.table
    if sessions and how.gap is not None:
        fix = "leave out --gap, or the column: --column events:session=skip"
        if anonymous:
            fix = "leave out --gap: without users, sessions say whose events they are"
        findings.of_file("events", "--gap, but the file names sessions", fix)
    if how.longest is not None and not sessions and how.gap is None:
        findings.of_file("events", "--longest, but no sessions", "pass --gap SECONDS")
    who = "session" if anonymous else "user"
    rule = Filter(how.item_events, how.user_events, how.most_user_events)
    rules = Rules(who, _known(found, who, entities), how.gap, how.longest, rule)
    labels = _labels(found, rules, entities)
    users = entities.get("user", labels[who])
    items = entities.get("item", labels.get("impressions", labels["item"]))
    told = {"unit": found.head.units.get("timestamp"), "gap": how.gap}
    told |= {"longest": how.longest, "anonymous": anonymous or None}
    if found.files and reading.parts is not None:
        done = partitions.sort(found, rules, labels, reading.parts)
        findings.add(done.findings)
        ordered = sum(one.ordered for one in done.told)
        _tell(ordered, sum(one.kept for one in done.told), how, findings)
        events, users, items = done.joined(labels, users, items)
    else:
        one = known_rows(found.head, labels, rules, findings)
        del found
        order = in_order(one, rules, findings)
        kept = filtered(one, order, rules, None)
        _tell(len(order), len(kept), how, findings)
        events = cut(one, kept, rules)
    settings = {name: value for name, value in told.items() if value is not None}
    return _tables(events, users, items), settings


def _known(
    found: Parted, who: str, entities: Mapping[str, Table]
) -> dict[str, tuple[str, int]]:
    """Returns, of columns whose ids must have a row, the entity and its rows."""
    of = {who: "user", "item": "item", "impressions": "item"}
    return {
        name: (entity, entities[entity].rows)
        for name, entity in of.items()
        if entity in entities and name in found.head.table
    }


def _labels(
    found: Parted, rules: Rules, entities: Mapping[str, Table]
) -> dict[str, Texts]:
    """Returns column -> what its codes stand for in all parts.

    Codes of known ids are the rows of their entity. Those of items shown are the same
    as of items; items without events follow.
    """
    coded = ("id", "ids", "category", "categories")
    columns = found.head.table.columns
    labels: dict[str, Texts] = {}
    for name in [name for name, column in columns.items() if column.type in coded]:
        first = []
        if name in rules.known:
            first = [entities[rules.known[name][0]]["id"].vocabulary]
        elif name == "impressions":
            first = [labels["item"]]
        labels[name] = make.union(chain(first, found.labels(name)))
    return labels


def _tell(ordered: int, kept: int, how: How, findings: Findings) -> None:
    """Notes what the filter left out.

    Raises:
      UserError: all.
    """
    if not kept and ordered:
        raise UserError(
            f"no event is left: no user with {how.user_events} events on items with "
            f"{how.item_events}; lower --user-events or --item-events"
        )
    if kept < ordered:
        gone = f"{ordered - kept:,} of {ordered:,} events left out: of users"
        findings.note("events", f"{gone} or items with too few or too many")


def _tables(
    events: Table, users: Table | Texts, items: Table | Texts
) -> dict[str, Table]:
    own = {"user", "item", "impressions"}
    shown = events["impressions"].ragged if "impressions" in events else None
    rest = [column for name, column in events.columns.items() if name not in own]
    user, item = events["user"].array, events["item"].array
    return event_tables(user, item, users, items, *rest, shown=shown)
