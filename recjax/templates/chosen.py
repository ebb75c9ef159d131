"""What templates look at: which tables and columns there are, and what suits them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from recjax.data import columns as kinds
from recjax.data.prepared import Prepared, place
from recjax.data.splits import ByColumn, ByTime, LastOut, Split
from recjax.errors import UserError
from recjax.models.tables import Table
from recjax.nn.inputs import Dense, EmbeddingBag
from recjax.paths import prepared_root
from recjax.tables.typed import Ragged, TypedColumn
from recjax.tables.typed import Table as Rows
from recjax.text.column import Texts

Say = Callable[[str], None]
"""Takes a choice and its reason, a line."""
ALL_ITEMS = 5_000
"""Items up to which the softmax runs over all of them."""
TEXTS = ("title", "tags", "text", "description", "name")
"""Columns that are an item's text, where it has them."""
BUCKETS = 10


def opened(data: Prepared | str | Path, template: str, needs: str) -> Prepared:
    """Opens prepared data that a template needs a table of.

    Raises:
      UserError: it is not prepared, is something else, or lacks the table.
    """
    if not isinstance(data, Prepared | str | Path):
        raise UserError(
            f"templates.{template}: expected what rj.prepare returns, or the name of "
            f"prepared data, not a {type(data).__name__}"
        )
    known = data if isinstance(data, Prepared) else Prepared.open(data)
    if needs not in known.tables:
        fits = [name for name, table in NEEDS.items() if table in known.tables]
        raise UserError(
            f"templates.{template} needs {needs}; {known.path.name} has "
            f"{', '.join(known.tables)}. Prepare it with {needs}, or take "
            f"{' or '.join(f'templates.{one}' for one in fits) or 'other data'}"
        )
    return known


NEEDS = {
    "two_tower": "events",
    "search": "judgements",
    "sessions": "events",
    "sequences": "events",
    "catalog": "judgements",
    "images": "image",
    "users": "events",
}
"""Template -> the table that it needs."""


def source(known: Prepared) -> str:
    """Returns what an experiment calls prepared data: its name, or its path."""
    in_cache = known.path.absolute().parent == prepared_root().absolute()
    return known.path.name if in_cache else str(known.path)


def split(known: Prepared, say: Say) -> Split:
    """Returns how events are split: as the data says, by time, or by their order."""
    events = known.table("events")
    if "split" in events:
        say("split: the column `split` of the events")
        return ByColumn()
    if "timestamp" in events:
        say("split: the last tenth of the events in time is the test")
        return ByTime()
    say("split: the last event of each user is the test, for there are no times")
    return LastOut()


def texts(table: Rows, say: Say) -> tuple[str, ...]:
    """Returns the columns that are the text of items."""
    known = ("text", "category", "categories")
    found = [n for n in TEXTS if n in table and table[n].type in known]
    if found:
        say(f"text: {', '.join(found)} of items, as words")
    return tuple(found)


@dataclass(frozen=True)
class Read:
    """Columns of a table, and how a tower reads them.

    Attributes:
      columns: feature -> what it is made of.
      inputs: feature -> the module that reads it.
      tables: table -> its settings.
    """

    columns: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)


def read(table: Rows, name: str, width: int, leave: tuple[str, ...], say: Say) -> Read:
    """Returns how a tower reads the categories, numbers and vectors of a table.

    Args:
      table: the table.
      name: "item" or "user".
      width: of the vectors.
      leave: columns that are something else.
      say: see `Say`.
    """
    found, left = Read(), []
    for column in table.columns.values():
        if column.name in ("id", *leave):
            continue
        kind = _kind(column, table.rows)
        if kind is None:
            left.append(column.name)
            continue
        found.columns[column.name] = kind
        if isinstance(kind, kinds.VectorColumn):
            found.inputs[column.name] = Dense(width)
        else:
            found.inputs[column.name] = EmbeddingBag(column.name, norm=0.0)
            found.tables[column.name] = Table(width, scale=0.01)
    if found.columns:
        say(f"columns of {name}s: {', '.join(found.columns)}")
    if left:
        say(
            f"not read of {name}s: {', '.join(left)} (all alike, all different, or no "
            "category, number or vector)"
        )
    return found


def negatives(items: int, say: Say) -> int | None:
    """Returns how many negatives are drawn: None for all items, where they are few."""
    if items <= ALL_ITEMS:
        say(f"negatives: all {items:,} items, for they are few")
        return None
    say(f"negatives: 1,024 drawn of {items:,} items")
    return 1_024


def steps(examples: int, batch: int, epochs: int = 8) -> int:
    """Returns the steps of some epochs, from 200 to 3,000, in hundreds."""
    return int(np.clip(round(epochs * examples / batch, -2), 200, 3_000))


def _kind(column: TypedColumn, rows: int) -> Any:
    if column.type in ("category", "categories"):
        labels = len(column.vocabulary) - 1
        return kinds.CategoryColumn() if 1 < labels <= rows / 2 else None
    if column.type == "number":
        known = np.unique(column.array[~np.isnan(column.array)])
        if len(known) < 2:
            return None
        return kinds.NumberColumn(buckets=min(BUCKETS, len(known)))
    if column.type == "vector" and isinstance(column.values, Ragged | Texts):
        return kinds.VectorColumn()
    return None


def data_name(data: Prepared | str | Path) -> str:
    """Returns the name of data, for experiments that are called after it."""
    path = data.path if isinstance(data, Prepared) else place(data)
    return path.name
