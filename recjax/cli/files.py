"""Options that all commands share which read a user's files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

import tyro

from recjax.errors import UserError

T = TypeVar("T")
Flat = Annotated[T, tyro.conf.arg(name="")]
"""Options that stand among the command's own, without a prefix."""


@dataclass(frozen=True)
class Form:
    """How the files are written.

    Attributes:
      column: where a name differs, recjax's=yours, as in --column user=uid; repeatable.
      encoding: of CSV files.
    """

    column: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    encoding: str = "utf-8"

    @property
    def columns(self) -> dict[str, str]:
        """Recjax's column name -> the file's.

        Raises:
          UserError: a `column` is not of the form name=name, or names one twice.
        """
        found: dict[str, str] = {}
        for pair in self.column:
            ours, equals, theirs = pair.partition("=")
            if not equals:
                raise UserError(f"--column {pair}: expected recjax's name=your name")
            if ours in found:
                raise UserError(f"--column {pair}: {ours!r} is {found[ours]!r} already")
            if theirs in found.values():
                other = next(name for name in found if found[name] == theirs)
                raise UserError(f"--column {pair}: {theirs!r} is {other!r} already")
            found[ours] = theirs
        return found


@dataclass(frozen=True)
class TimedForm(Form):
    """How the files are written, times among them.

    Attributes:
      unit: of numeric timestamps.
    """

    unit: Literal["s", "ms"] = "s"


@dataclass(frozen=True)
class BadRows:
    """What happens to rows that cannot be read.

    Attributes:
      on_bad_row: "skip" leaves bad rows out, counts and lists them.
      max_bad_share: largest share of rows that skip leaves out.
    """

    on_bad_row: Literal["error", "skip"] = "error"
    max_bad_share: float = 0.01
