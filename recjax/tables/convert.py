"""Columns of single values: texts, ids and numbers, with a mask for each problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

LARGEST = 3.4e38
"""Numbers are kept as float32, where larger ones are infinite."""
FILL = "fill it in, or delete the row"


class WrongType(Exception):
    """A column's type cannot hold what it should.

    Attributes:
      needs: what it must be instead.
    """

    def __init__(self, dtype: Any, needs: str) -> None:
        """The message is the type."""
        super().__init__(str(dtype))
        self.needs = needs


@dataclass(frozen=True)
class Problem:
    """What is wrong with some values of a block.

    Attributes:
      kind: the problem in a few words.
      fix: what to do.
      bad: bool[n] the rows.
      shown: what stands in each of them; None for the values themselves.
    """

    kind: str
    fix: str
    bad: np.ndarray
    shown: Sequence[Any] | np.ndarray | None = None


def problems(*found: tuple[str, str, pl.Series | np.ndarray]) -> list[Problem]:
    """Returns a problem for each kind, fix and mask (null is false) with any row."""
    return [Problem(kind, fix, _mask(bad)) for kind, fix, bad in found if bad.any()]


def _mask(bad: pl.Series | np.ndarray) -> np.ndarray:
    return bad if isinstance(bad, np.ndarray) else bad.fill_null(False).to_numpy()


def plain(values: pl.Series) -> pl.Series:
    """Returns a column without the types that only store texts differently."""
    dtype = values.dtype
    if isinstance(dtype, pl.Categorical | pl.Enum) or dtype == pl.Null:
        return values.cast(pl.String)
    if isinstance(dtype, pl.Decimal):
        texts = values.cast(pl.String)
        return texts.str.replace(r"(\.\d*?)0+$", "${1}").str.strip_suffix(".")
    return values


def to_text(values: pl.Series, needs: str) -> tuple[pl.Series, list[Problem]]:
    """Returns one text a value; not stripped, null where missing.

    Numbers that are whole become integers, as text; others, and those so large that a
    float cannot tell them from their neighbours, are problems.

    Raises:
      WrongType: neither texts nor numbers.
    """
    given, values = values, plain(values)
    if values.dtype == pl.Binary:
        values = _decoded(values)
    if values.dtype.is_float():
        # Integer ids next to a missing one become floats in pandas.
        values = values.fill_nan(None)
        exact = 2.0 ** (24 if values.dtype == pl.Float32 else 53)
        whole = values.cast(pl.Int64, strict=False)
        fraction = (whole.cast(pl.Float64) != values.cast(pl.Float64)).fill_null(True)
        merged = values.abs() >= exact
        fix = "store ids as text or integers"
        return whole.cast(pl.String), problems(
            ("not an id", fix, fraction & values.is_not_null() & ~merged),
            ("an id rounded by its float type", fix, merged),
        )
    if values.dtype.is_integer() or values.dtype == pl.Boolean:
        return values.cast(pl.String), []
    if values.dtype != pl.String:
        raise WrongType(values.dtype, needs)
    lost = values.is_null() & given.is_not_null()
    return values, problems(("bytes that are not UTF-8", "store text in it", lost))


def _decoded(values: pl.Series) -> pl.Series:
    """Returns bytes as texts, null where they are none."""
    try:
        return values.cast(pl.String)
    except pl.exceptions.PolarsError:
        return pl.Series([_utf8(value) for value in values], dtype=pl.String)


def _utf8(value: bytes | None) -> str | None:
    try:
        return value if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def to_numbers(
    values: pl.Series, *, filled: bool, least: float | None
) -> tuple[np.ndarray, list[Problem]]:
    """Returns f32[n] numbers, NaN where missing.

    Raises:
      WrongType: neither texts nor numbers.
    """
    values = plain(values)
    missing = values.is_null()
    if values.dtype == pl.String:
        values = values.str.strip_chars()
        missing |= (values == "").fill_null(False)
    elif not (values.dtype.is_numeric() or values.dtype == pl.Boolean):
        raise WrongType(values.dtype, "numbers")
    numbers = values.cast(pl.Float64, strict=False)
    nan = numbers.is_nan().fill_null(False)
    infinite = (numbers.abs() > LARGEST) & ~nan
    wrong = numbers.is_null() & ~missing
    fix = "write a number with a decimal point, such as 3.5"
    fix += "" if filled else ", or leave it empty"
    found = [
        ("not a number", fix, wrong),
        ("infinite number", "give it a finite number", infinite),
    ]
    if filled:
        found += [
            ("missing value", FILL, missing),
            ("NaN", "give it a number, or delete the row", nan),
        ]
    if least is not None:
        kind = "negative number" if least == 0 else f"number below {least:g}"
        low = (numbers < least) & ~infinite & ~nan
        found.append((kind, f"give it a number of at least {least:g}", low))
    with np.errstate(over="ignore"):
        kept = numbers.fill_null(float("nan")).to_numpy().astype(np.float32)
    return kept, problems(*found)
