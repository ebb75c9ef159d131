"""Preparing again so that ids keep their rows: a model of before can go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from recjax.data.prepared import Prepared, owner
from recjax.errors import UserError
from recjax.prepare import make
from recjax.prepare.sessionize import session_column
from recjax.prepare.write import Data
from recjax.tables.typed import Table, TypedColumn


def extended(old: Prepared, new: Data) -> Data:
    """Returns new data whose known ids and categories have the numbers they had.

    Entities that only `old` has keep their rows and values; those that only `new` has
    follow. Events and judgements are those of `new`.

    Args:
      old: the data set as it was prepared before.
      new: the data as it is now.

    Raises:
      UserError: a table lacks a column that it had, has another one, or another type.
    """
    before = {name: old.table(name) for name in old.tables}
    tables, codes = {}, {}
    for name in {**before, **new.tables}:
        if "id" not in before.get(name, new.tables.get(name, {})):
            continue
        if name in before and name in new.tables:
            _same_schema(old, name, before[name], new.tables[name])
            tables[name], codes[name] = _entities(before[name], new.tables[name])
        else:
            tables[name] = before.get(name) or new.tables[name]
    for name, table in new.tables.items():
        if "id" not in table:
            if name in before:
                _same_schema(old, name, before[name], table)
            tables[name] = _rows(before.get(name), table, new.tables, tables, codes)
    return replace(new, tables=tables, extends=(*old.extends, old.digest))


def _same_schema(old: Prepared, name: str, before: Table, now: Table) -> None:
    kinds = [
        {c.name: f"{c.type} {c.width or ''}".strip() for c in table.columns.values()}
        for table in (before, now)
    ]
    for column in {**kinds[0], **kinds[1]}:
        was, is_ = (kind.get(column, "nothing") for kind in kinds)
        if was != is_:
            raise UserError(
                f"--extend: column {column!r} of {name} is {is_}, in {old.path} it was "
                f"{was}; give the tables the same columns, or prepare without --extend"
            )


def _entities(before: Table, now: Table) -> tuple[Table, np.ndarray]:
    """Returns one table of both, and the row in it of each row of `now`."""
    ids = make.union((before["id"].vocabulary, now["id"].vocabulary))
    row = make.index_of(make.series(now["id"].vocabulary), make.series(ids))
    # A row's values are those of now, or else those of before.
    where = np.arange(len(ids))
    where[row] = before.rows + np.arange(now.rows)
    columns = [
        make.joined([column, now[name]]).take(where)
        for name, column in before.columns.items()
        if name != "id"
    ]
    return make.entity(ids, *columns), row


def _rows(
    before: Table | None,
    now: Table,
    entities: Mapping[str, Table],
    grown: Mapping[str, Table],
    codes: Mapping[str, np.ndarray],
) -> Table:
    """Returns events or judgements with the new rows of what they refer to."""
    columns = {}
    for name, column in now.columns.items():
        of = owner(column, entities)
        if of in codes:
            column = make.recoded(column, codes[of], grown[of]["id"].vocabulary)
        elif of is None and column.labels is not None and before is not None:
            column = _relabelled(before[name], column)
        columns[name] = column
    if "candidate_type" in columns:
        kind = now["candidate_type"]
        candidate = np.array(columns["candidate"].array)
        for number, entity in enumerate(kind.vocabulary):
            if entity in codes:
                own = kind.array == number
                candidate[own] = codes[entity][candidate[own]]
        columns["candidate"] = replace(columns["candidate"], values=candidate)
    table = Table(now.rows, columns)
    if "user" not in columns:
        return table
    table = table.take(np.argsort(columns["user"].array, kind="stable"))
    if "session" in columns:
        session = table["session"].array
        first = np.r_[True, session[1:] != session[:-1]][: len(session)]
        table = replace(
            table, columns={**table.columns, "session": session_column(first)}
        )
    return table


def _relabelled(before: TypedColumn, now: TypedColumn) -> TypedColumn:
    """Returns a column of now with the labels of before first."""
    return make.relabelled(now, make.union((before.vocabulary, now.vocabulary)))
