"""Conditions on what is found, and what is known of it: more than a SavedModel takes.

A request names them once for all its rows; a signature takes them a row, as it takes
everything else, so that rows of several requests are answered together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import jax
import numpy as np

from recjax.bundle import item_columns
from recjax.bundle.contract import Columns, Signature
from recjax.bundle.finder import Finder
from recjax.errors import UserError, nearest

if TYPE_CHECKING:
    import polars as pl

WHERE, COLUMNS = "(where)", "(columns)"
"""Inputs that no bundle has: conditions, and names of item columns, of each row."""
SHOWN = "columns"
"""The output: item column -> its values of the items found."""
TITLE = "title"
CONDITIONS, CHARACTERS = 32, 4_096
"""Most conditions of a request, and their length."""


class Find(Protocol):
    """Finds items, as `Signature.finish` does, that meet conditions."""

    def __call__(
        self, made: Any, columns: Columns, where: Sequence[str] = ()
    ) -> Columns:
        """Returns columns of what is found."""


def narrowed(finder: Finder, plain: Signature, find: Find) -> Signature:
    """Returns a signature with itself narrowed: it takes `WHERE` and `COLUMNS` too."""

    def read(columns: Columns) -> Columns:
        where, shown = columns[WHERE], columns[COLUMNS]
        # A request says the same of all its rows.
        _check(finder, where[0], shown[0])
        return {**plain.read(_without(columns)), WHERE: where, COLUMNS: shown}

    def encode(columns: Columns, rows: int) -> Any:
        return plain.encode(_without(columns), rows)

    def finish(made: Any, columns: Columns) -> Columns:
        groups: dict[tuple, list[int]] = {}
        for row, asked in enumerate(zip(columns[WHERE], columns[COLUMNS], strict=True)):
            groups.setdefault(asked, []).append(row)
        rows: dict[int, dict[str, Any]] = {}
        for (where, shown), places in groups.items():
            own = {n: [v[at] for at in places] for n, v in _without(columns).items()}
            found = dict(find(_rows(made, places), own, where))
            if shown:
                found[SHOWN] = [_shown(finder, ids, shown) for ids in found["ids"]]
            for at, row in enumerate(places):
                rows[row] = {name: values[at] for name, values in found.items()}
        names = dict.fromkeys(name for row in rows.values() for name in row)
        order = [rows[at] for at in range(len(rows))]
        return {name: [row.get(name) for row in order] for name in names}

    own = replace(plain, read=read, encode=encode, finish=finish)
    return replace(plain, narrowed=own)


def known_columns(finder: Finder) -> list[str]:
    """Returns the item columns that conditions can name; none where there are none."""
    try:
        return finder.columns.columns
    except UserError:
        return []


def _check(finder: Finder, where: Sequence[str], shown: Sequence[str]) -> None:
    size = sum(map(len, where))
    if len(where) > CONDITIONS or size > CHARACTERS:
        raise UserError(
            f'"where": {len(where)} conditions of {size} characters; at most '
            f"{CONDITIONS} of {CHARACTERS} together"
        )
    try:
        finder.check(where)
    except UserError as error:
        raise UserError(f'"where": {error}') from None
    for name in shown:
        if name != TITLE and name not in known_columns(finder):
            known = [TITLE, *known_columns(finder)]
            raise UserError(
                f'"columns": items have no {name[:80]!r}, but {", ".join(known)}.'
                + nearest(name[:80], known)
            )


def _shown(finder: Finder, ids: Sequence[str], names: Sequence[str]) -> dict[str, list]:
    """Returns item column -> values of some items; a moment is in unix seconds."""
    rows = [finder.items.rows[id] for id in ids]
    made: dict[str, list] = {}
    for name in names:
        if name == TITLE:
            made[name] = [finder.items.titles[row] for row in rows]
        else:
            made[name] = _seconds(finder.columns[name].gather(rows)).to_list()
    return made


def _seconds(values: pl.Series) -> pl.Series:
    return item_columns.seconds(values) if values.dtype.is_temporal() else values


def _rows(made: Any, places: Sequence[int]) -> Any:
    return jax.tree.map(lambda array: np.asarray(array)[places], made)


def _without(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {n: v for n, v in columns.items() if n not in (WHERE, COLUMNS)}
