"""Columns of prepared tables as features, learned of the rows that training meets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from recjax.data.columns import KINDS, Column, Columns, ImageColumn, TextColumn
from recjax.data.dataset import CorpusColumn
from recjax.data.inputs import Input, encode_column, source
from recjax.data.raw_values import raw_values
from recjax.errors import UserError, nearest
from recjax.features import Feature
from recjax.tables import columns as file_columns
from recjax.tables.typed import MISSING_TIME, Ragged, Table, TypedColumn

FEW = 1_000
"""Rows that most columns need to show that they differ."""


@dataclass(frozen=True)
class Fitted:
    """The features of one table's columns.

    Attributes:
      table: the table.
      inputs: feature -> how it is made.
      features: feature -> what a model must know of it.
    """

    table: Table
    inputs: Mapping[str, Input]
    features: Mapping[str, Feature]

    @cached_property
    def arrays(self) -> Mapping[str, CorpusColumn]:
        """Feature -> what reads as its array [n, ...] of the table's rows."""
        made = self.inputs.items()
        return {n: encode_column(kind, self.table[kind.column]) for n, kind in made}

    @cached_property
    def schema(self) -> tuple[file_columns.Column, ...]:
        """The columns as those of a file; one without a missing value is required."""
        names = sorted({kind.column for kind in self.inputs.values()})
        return tuple(
            file_columns.Column(
                name, column.type, required=not _missing(column).any(), filled=False
            )
            for name, column in ((name, self.table[name]) for name in names)
        )

    def take(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Returns feature -> array [B, ...] of some rows."""
        return {name: array[rows] for name, array in self.arrays.items()}

    def raw(self, rows: np.ndarray) -> dict[str, list[Any]]:
        """Returns column -> values of some rows, as queries give them."""
        names = {kind.column for kind in self.inputs.values()}
        return {name: raw_values(self.table[name], rows) for name in sorted(names)}


def fit(
    columns: Columns, tables: Mapping[str, Table], rows: Mapping[str, np.ndarray]
) -> dict[str, Fitted]:
    """Returns how the columns of tables become features, also of tables without any.

    Args:
      columns: table -> feature -> column.
      tables: those that columns may be read of.
      rows: table -> positions of the rows that are met in training.

    Raises:
      UserError: there is no such table or column, it is of another type, or the
        training rows have nothing or all the same in it; all such faults at once.
    """
    faults = [
        f"data.columns.{name}: this data reads columns of {', '.join(tables)}, not of "
        f"{name!r}.{nearest(name, tables)}"
        for name in columns
        if name not in tables
    ]
    found = {}
    for name, table in tables.items():
        inputs, features = {}, {}
        for feature, setting in columns.get(name, {}).items():
            try:
                made = _fit(setting, setting.column or feature, table, rows[name])
            except (ValueError, UserError) as error:
                faults.append(f"data.columns.{name}.{feature}: {error}")
            else:
                inputs[feature] = made
                features[feature] = replace(_feature(setting, made), named=True)
        found[name] = Fitted(table, inputs, features)
    if faults:
        raise UserError("\n".join(faults))
    return found


def joined(known: Mapping[str, Input], *parts: Fitted) -> dict[str, Input]:
    """Returns the inputs of one side of a model: its own, and those of some tables.

    Raises:
      UserError: two features, or two tables' columns, have one name.
    """
    found = dict(known)
    taken = {source(name, known) for name in known}
    for part in parts:
        own = {source(name, part.inputs) for name in part.inputs}
        both = sorted((found.keys() & part.inputs.keys()) | (taken & own))
        if both:
            raise UserError(
                f"data.columns: one side of the model has {both[0]!r} twice, as a "
                "feature or as the column of two tables; rename the feature, or the "
                "column when the data is prepared (--rename FILE:theirs=ours)"
            )
        found |= part.inputs
        taken |= own
    return found


def _fit(setting: Column, column: str, table: Table, rows: np.ndarray) -> Input:
    if column not in table:
        close = nearest(column, table.columns)
        raise ValueError(f"there is no column {column!r}.{close}" + _has(table))
    found = table[column]
    if found.type not in setting.types:
        fits = [k for k in KINDS if found.type in k.types]
        hint = " or ".join(kind.__name__ for kind in fits) or "no kind of column"
        raise ValueError(
            f"column {column!r} holds {found.type}, which {hint} reads, "
            f"not {type(setting).__name__}; or prepare it as another type, by --column "
            f"FILE:{column}={setting.types[0]}"
        )
    few = np.linspace(0, len(rows) - 1, min(FEW, len(rows))).astype(int)
    if isinstance(setting, ImageColumn):
        # Photographs are many bytes, and no two of them are alike.
        if not found.texts.present[rows].any():
            raise ValueError(
                f"column {column!r} is missing in all {len(rows)} training rows"
            )
        return setting.fit(found)
    training = found.take(rows)
    made = setting.fit(training)
    # Most columns show at once that they differ.
    if _alike(made, training.take(few)) and _alike(made, training):
        empty = _missing(training).all()
        what = "is missing in all" if empty else "tells nothing: it is alike in all"
        raise ValueError(f"column {column!r} {what} {len(rows)} training rows")
    return made


def _feature(setting: Column, made: Any) -> Feature:
    if isinstance(setting, TextColumn):
        return setting.tokens.feature(made)
    return made.feature()


def _alike(made: Input, column: TypedColumn) -> bool:
    encoded = encode_column(made, column)[:]
    return bool((encoded == encoded[:1]).all())


def _missing(column: TypedColumn) -> np.ndarray:
    """Returns whether each value is missing, bool[n]."""
    if column.type == "timestamp":
        return column.array == MISSING_TIME
    if column.type == "number":
        return np.isnan(column.array)
    if isinstance(column.values, Ragged):
        return np.diff(column.ragged.start) == 0
    if column.labels is None:
        return column.texts.present == 0
    return column.array < int(column.type == "category")


def _has(table: Table) -> str:
    told = ", ".join(f"{c.name} ({c.type})" for c in table.columns.values())
    return f" It has {told}"
