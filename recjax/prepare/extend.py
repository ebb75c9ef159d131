"""Preparing again so that ids keep their rows: a model of before can go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl

from recjax.data.prepared import Prepared, owner
from recjax.errors import UserError
from recjax.prepare import make
from recjax.prepare.write import Data
from recjax.tables.typed import Ragged, Table, TypedColumn
from recjax.text.column import Texts, offsets_of, pack


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
    return replace(new, tables=tables)


def _same_schema(old: Prepared, name: str, before: Table, now: Table) -> None:
    kinds = [
        {column.name: (column.type, column.width) for column in table.columns.values()}
        for table in (before, now)
    ]
    for column in {**kinds[0], **kinds[1]}:
        was, is_ = (kind.get(column, ("nothing",))[0] for kind in kinds)
        if kinds[0].get(column) != kinds[1].get(column):
            raise UserError(
                f"--extend: column {column!r} of {name} is {is_}, in {old.path} it is "
                f"{was}; give the tables the same columns, or prepare without --extend"
            )


def _entities(before: Table, now: Table) -> tuple[Table, np.ndarray]:
    """Returns one table of both, and the row in it of each row of `now`."""
    ids = _union(before["id"].labels, now["id"].labels)
    row = make.index_of(make.series(now["id"].labels), make.series(ids))
    # A row's values are those of now, or else those of before.
    where = np.arange(len(ids))
    where[row] = before.rows + np.arange(now.rows)
    columns = [
        _joined(column, now[name], where)
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
        if of is not None:
            values = column.values
            if of in codes:
                values = _recoded(values, codes[of])
            columns[name] = replace(
                column, values=values, labels=grown[of]["id"].labels
            )
        elif column.labels is not None and before is not None:
            labels = _union(before[name].labels, column.labels)
            at = make.index_of(make.series(column.labels), make.series(labels))
            columns[name] = replace(
                column, values=_recoded(column.values, at), labels=labels
            )
        else:
            columns[name] = column
    if "candidate_type" in columns:
        kind = now["candidate_type"]
        candidate = np.array(columns["candidate"].values)
        for number, entity in enumerate(kind.labels):
            if entity in codes:
                own = kind.values == number
                candidate[own] = codes[entity][candidate[own]]
        columns["candidate"] = replace(columns["candidate"], values=candidate)
    return Table(now.rows, columns)


def _joined(before: TypedColumn, now: TypedColumn, where: np.ndarray) -> TypedColumn:
    """Returns the rows `where` of both columns end to end."""
    labels = None
    if before.labels is not None:
        labels = _union(before.labels, now.labels)
        at = make.index_of(make.series(now.labels), make.series(labels))
        now = replace(now, values=_recoded(now.values, at))
    one, two = before.values, now.values
    if isinstance(one, Texts):
        data = np.concatenate([one.data, two.data])
        lengths = np.r_[np.diff(one.offsets), np.diff(two.offsets)]
        values = Texts(data, offsets_of(lengths))
    elif isinstance(one, Ragged):
        lengths = np.r_[np.diff(one.start), np.diff(two.start)]
        values = Ragged(offsets_of(lengths), np.concatenate([one.values, two.values]))
    else:
        values = np.concatenate([one, two])
    return replace(now, values=values, labels=labels).take(where)


def _union(before: Texts, now: Texts) -> Texts:
    both = pl.concat([make.series(before), make.series(now)])
    return pack(both.unique(maintain_order=True))


def _recoded(values: np.ndarray | Ragged, at: np.ndarray) -> np.ndarray | Ragged:
    if isinstance(values, Ragged):
        return Ragged(values.start, at[values.values])
    return at[values]
