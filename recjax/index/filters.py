"""Conditions on columns of items that an engine answers with: all of them must hold."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from recjax.errors import UserError, nearest

Op = Literal["=", "!=", "<", "<=", ">", ">=", "in"]
Kind = Literal["number", "text"]
"""What a column holds: float64, or text. A time is a number of unix seconds."""
Value = str | float
_FORM = re.compile(r"\s*(\w+)\s*(!=|<=|>=|=|<|>|\bin\b)\s*(.*?)\s*", re.S)


@dataclass(frozen=True)
class Filter:
    """A condition; an item without a value in the column does not meet it.

    Attributes:
      column: its name.
      op: "in" takes several values.
      values: one, or several.

    Example:
      [Filter("price", "<", (50.0,)), Filter("brand", "in", ("Acme", "Bolt"))]
    """

    column: str
    op: Op
    values: tuple[Value, ...]

    @classmethod
    def read(cls, text: str, columns: Mapping[str, Kind]) -> Filter:
        """Returns the condition of a text such as "price < 50" or "brand in a, b".

        Args:
          text: column, operator, value.
          columns: those that the engine has.

        Raises:
          UserError: it is none, there is no such column, or the value is no number.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise UserError(
                f"--where {text!r}: write COLUMN OPERATOR VALUE, such as 'price < 50' "
                "or 'brand in Acme, Bolt'; operators are = != < <= > >= in"
            )
        column, op, value = found.groups()
        values = value.split(",") if op == "in" else [value]
        made = cls(column, op, tuple(one.strip() for one in values))  # type: ignore
        return made.checked(columns)

    def checked(self, columns: Mapping[str, Kind]) -> Filter:
        """Returns it with values of the column's kind.

        Raises:
          UserError: there is no such column, or a value is not of its kind.
        """
        if self.column not in columns:
            raise UserError(
                f"no column {self.column!r}: the engine has {', '.join(columns)}."
                + nearest(self.column, list(columns))
            )
        if not self.values or (len(self.values) > 1 and self.op != "in"):
            raise UserError(f"{self.column} {self.op}: takes one value")
        kind = columns[self.column]
        if kind == "text":
            return Filter(self.column, self.op, tuple(map(str, self.values)))
        try:
            numbers = tuple(float(value) for value in self.values)
        except ValueError:
            raise UserError(
                f"{self.column} {self.op} {self.values[0]!r}: the column holds numbers"
            ) from None
        if not all(abs(number) < float("inf") for number in numbers):
            raise UserError(f"{self.column} {self.op}: not a finite number")
        return Filter(self.column, self.op, numbers)

    def sql(self) -> str:
        """Returns the condition as SQL, as LanceDB reads it."""

        def told(value: Value) -> str:
            return repr(value) if isinstance(value, float) else _quoted(value)

        def _quoted(value: str) -> str:
            return "'" + value.replace("'", "''") + "'"

        values = ", ".join(map(told, self.values))
        return f"`{self.column}` {self.op} " + (
            f"({values})" if self.op == "in" else values
        )

    def expression(self) -> str:
        """Returns the condition in Milvus's language."""
        op = "==" if self.op == "=" else self.op
        values = list(self.values) if self.op == "in" else self.values[0]
        return f"{self.column} {op} {json.dumps(values, ensure_ascii=False)}"
