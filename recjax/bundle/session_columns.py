"""Columns of events and users in a session bundle: raw values in, arrays out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recjax.bundle.contract import Spec, input_spec
from recjax.bundle.queries import check_values, takers
from recjax.data import inputs as raw_inputs
from recjax.data.inputs import Input, encode_all
from recjax.errors import UserError, nearest
from recjax.tables.columns import Column

if TYPE_CHECKING:  # It needs packages that serving does not.
    from recjax.data.fitted import Fitted

EVENT, USER = "event", "user"


@dataclass(frozen=True)
class ServedColumns:
    """The columns of one table that a step reads.

    Outside their table, columns and features are led by its name, as in `event_device`:
    by their own they could be parts of a state.

    Attributes:
      table: "event" or "user".
      schema: the columns of a file; one is required where the data misses no value.
      inputs: feature -> how it is made.
    """

    table: str
    schema: tuple[Column, ...] = ()
    inputs: Mapping[str, Input] = field(default_factory=dict)

    @classmethod
    def of(cls, table: str, fitted: Fitted) -> ServedColumns:
        """Returns those that a model was trained with.

        Raises:
          UserError: a name cannot be that of an input of a SavedModel.
        """
        for name in {*fitted.inputs, *(column.name for column in fitted.schema)}:
            if not f"{table}_{name}".isidentifier():
                raise UserError(
                    f"column {name!r} of the {table}s: use letters, digits and '_' in "
                    "its name"
                )
        return cls(table, fitted.schema, fitted.inputs)

    @cached_property
    def takes(self) -> Mapping[str, Input]:
        """Column, led by the table's name -> what is made of it."""
        return {self.named(name): kind for name, kind in takers(self.inputs).items()}

    @property
    def specs(self) -> dict[str, Spec]:
        """Column, led by the table's name -> what its raw values are."""
        return {name: input_spec(kind) for name, kind in self.takes.items()}

    @cached_property
    def blank(self) -> dict[str, np.ndarray]:
        """The arrays where nothing is known, without rows."""
        return {name: array[0] for name, array in self.encode({}, 1).items()}

    def named(self, name: str) -> str:
        """Returns a column's or a feature's name, led by the table's."""
        return f"{self.table}_{name}"

    def encode(self, given: Mapping[str, Any], rows: int) -> dict[str, np.ndarray]:
        """Returns the arrays of a step [rows, ...].

        Args:
          given: columns, led by the table's name, of raw values; one left out is
            missing. It may hold others.
          rows: how many.

        Raises:
          UserError: a value is not what its column holds.
        """
        given = {name: given[name] for name in self.takes if name in given}
        check_values(given, self.takes, "row")
        raw = {name.removeprefix(self.named("")): v for name, v in given.items()}
        made = encode_all(self.inputs, raw, rows)
        return {self.named(name): array for name, array in made.items()}

    def of_one(self, values: Mapping[str, Any], **known: Any) -> dict[str, np.ndarray]:
        """Returns the arrays of one row, without rows.

        Args:
          values: column -> raw value; one left out is missing.
          known: what is known of the row beside them, whether it is read or not.

        Raises:
          UserError: there is no such column, or a value is not what it holds.
        """
        takes = [column.name for column in self.schema]
        for name in values:
            if name not in takes:
                close = nearest(name, takes)
                raise UserError(
                    f"the model reads no column {name!r} of {self.table}s, but {takes}."
                    + close
                )
        values = {n: known[n] for n in takes if n in known} | dict(values)
        made = self.encode({self.named(n): [v] for n, v in values.items()}, 1)
        return {name: array[0] for name, array in made.items()}

    def save(self, folder: Path) -> list[dict[str, Any]]:
        """Writes the inputs into a folder; returns the schema as JSON."""
        raw_inputs.save(folder, self.inputs, f"{self.table}_inputs.json")
        return [asdict(column) for column in self.schema]

    @classmethod
    def load(
        cls, table: str, folder: Path, schema: Sequence[Mapping[str, Any]]
    ) -> ServedColumns:
        """Reads what `save` wrote.

        Raises:
          UserError: a file is missing or damaged.
        """
        inputs = raw_inputs.load(folder, (), f"{table}_inputs.json")
        return cls(table, tuple(Column(**one) for one in schema), inputs)
