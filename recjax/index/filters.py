"""Conditions on columns of items: all of them must hold."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from recjax.errors import UserError, nearest

Op = Literal["=", "!=", "<", "<=", ">", ">=", "in"]
Kind = Literal["number", "text"]
"""What a column holds: float64, or text. A time is a number of unix seconds."""
Value = str | float
_FORM = re.compile(r"\s*(\w+)\s*(!=|<=|>=|=|<|>|\bin\b)(.*)", re.S | re.I)
_MORE = re.compile(r"\b(and|or)\s+\w+\s*([!<>=]|in\b)", re.I)
_QUOTED = re.compile(r"(['\"])(.*)\1", re.S)


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
          UserError: it is none or several, or see `checked`.
        """
        found = _FORM.fullmatch(text) if isinstance(text, str) else None
        if found is None or not found[3].strip():
            raise UserError(
                f"where {text!r}: write COLUMN OPERATOR VALUE, such as 'price < 50' "
                "or 'brand in Acme, Bolt'; operators are = != < <= > >= in"
            )
        column, op, value = found[1], found[2].lower(), found[3].strip()
        if _MORE.search(value) and not _QUOTED.fullmatch(value):
            raise UserError(f"where {text!r}: give each condition as a text of its own")
        if op == "in" and value[0] + value[-1] == "()":
            value = value[1:-1]
        values = value.split(",") if op == "in" else [value]
        made = cls(column, op, tuple(map(_plain, values)))  # type: ignore
        return made.checked(columns)

    def checked(self, columns: Mapping[str, Kind]) -> Filter:
        """Returns it with values of the column's kind.

        Raises:
          UserError: there is no such column, a value is not of its kind, or texts would
            be compared by order.
        """
        if self.column not in columns:
            raise UserError(
                f"no column {self.column!r}: items have {', '.join(columns)}."
                + nearest(self.column, list(columns))
            )
        if not self.values or (len(self.values) > 1 and self.op != "in"):
            raise UserError(f"{self.column} {self.op}: takes one value")
        kind = columns[self.column]
        if kind == "text":
            if self.op not in ("=", "!=", "in"):
                raise UserError(self._no_order())
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

    def _no_order(self) -> str:
        """Returns why a text is not compared: "V" would be more than "1990"."""
        name = self.column
        return (
            f"{name} {self.op} {self.values[0]}: the column {name!r} is text (an id, a "
            "category or words), and no number or time; ask for it by = != in, or "
            f"prepare it with --column items:{name}=number (or timestamp)"
        )

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


def read_all(where: str | Sequence[str], columns: Mapping[str, Kind]) -> list[Filter]:
    """Returns the conditions of one text or of several.

    Raises:
      UserError: see `Filter.read`.
    """
    return [Filter.read(one, columns) for one in as_list(where)]


def as_list(where: str | Sequence[str]) -> Sequence[str]:
    """Returns conditions as a list of texts."""
    return ([where] if where else []) if isinstance(where, str) else where


def _plain(value: str) -> str:
    """Returns a value without the quotes that SQL would have."""
    quoted = _QUOTED.fullmatch(value.strip())
    return quoted[2] if quoted else value.strip()
