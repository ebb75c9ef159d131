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
          UserError: a `column` is not of the form name=name.
        """
        for pair in self.column:
            if "=" not in pair:
                raise UserError(f"--column {pair}: expected recjax's name=your name")
        return dict(pair.split("=", 1) for pair in self.column)


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
