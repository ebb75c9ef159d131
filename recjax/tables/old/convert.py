"""Converting one column of a user's file, with a mask for each problem found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

Unit = Literal["s", "ms"]
DAY = 86_400
ZONED = "%Y-%m-%dT%H:%M:%S%.f%#z"
PLAIN = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d")


@dataclass(frozen=True)
class Converted:
    """A converted column.

    Attributes:
      values: text, f64 or i64 seconds; meaningless where a mask is set.
      problems: (kind, fix, mask) with a bool mask over the rows.
    """

    values: pl.Series
    problems: tuple[tuple[str, str, pl.Series], ...]


def convert(values: pl.Series, kind: str, unit: Unit, now: float) -> Converted | None:
    """Converts a column as read to what its kind (see `Column`) is stored as.

    Args:
      values: text from CSV, or any type from Parquet.
      kind: "id", "text", "note", "number", "gain" or "time".
      unit: of numeric timestamps.
      now: unix seconds; over a day later is the future.

    Returns:
      The column, or None if its type can never be of that kind.
    """
    if isinstance(values.dtype, pl.Categorical | pl.Enum):
        values = values.cast(pl.String)
    if values.dtype == pl.Null:
        values = values.cast(pl.String)
    if kind == "time":
        return _time(values, unit, now)
    if kind in ("number", "gain"):
        return _number(values, at_least_0=kind == "gain")
    return _text(values, kind)


def _text(values: pl.Series, kind: str) -> Converted | None:
    fraction = pl.repeat(False, len(values), dtype=pl.Boolean, eager=True)
    missing = values.is_null()
    if values.dtype.is_float():
        # Integer ids next to a missing one become floats in pandas.
        missing |= values.is_nan().fill_null(False)
        whole = values.cast(pl.Int64, strict=False)
        fraction = (whole.cast(pl.Float64) != values).fill_null(True) & ~missing
        values = whole.cast(pl.String)
    elif values.dtype.is_integer():
        values = values.cast(pl.String)
    elif values.dtype != pl.String:
        return None
    values = values.str.strip_chars()
    empty = (values == "").fill_null(False)
    if kind == "note":
        return Converted(values.fill_null(""), ())
    return Converted(
        values,
        (
            ("missing value", "fill it in, or delete the row", missing),
            ("empty text", "fill it in, or delete the row", empty),
            ("not an id", "store ids as text or integers", fraction),
        ),
    )


def _number(values: pl.Series, *, at_least_0: bool) -> Converted | None:
    missing = values.is_null()
    if values.dtype == pl.String:
        values = values.str.strip_chars()
        missing |= (values == "").fill_null(False)
    elif not values.dtype.is_numeric():
        return None
    numbers = values.cast(pl.Float64, strict=False)
    wrong = numbers.is_null() & ~missing
    nan = numbers.is_nan().fill_null(False)
    # The columns are kept as float32, where larger numbers are infinite.
    infinite = (numbers.abs() > 3.4e38).fill_null(False) & ~nan
    problems = [
        ("missing value", "fill it in, or delete the row", missing),
        ("not a number", "write a number with a decimal point, such as 3.5", wrong),
        ("NaN", "give it a number, or delete the row", nan),
        ("infinite number", "give it a finite number", infinite),
    ]
    if at_least_0:
        negative = (numbers < 0).fill_null(False) & ~infinite
        problems.append(("negative number", "give it a number of at least 0", negative))
    return Converted(numbers, tuple(problems))


def _time(values: pl.Series, unit: Unit, now: float) -> Converted | None:
    missing = values.is_null()
    if values.dtype.is_temporal():
        if not isinstance(values.dtype, pl.Date | pl.Datetime):
            return None
        seconds = values.dt.epoch("s")
    elif values.dtype == pl.String:
        values = values.str.strip_chars()
        missing |= (values == "").fill_null(False)
        seconds = _seconds(values, unit).fill_null(_iso(values))
    elif values.dtype.is_numeric():
        if values.dtype.is_float():
            missing |= values.is_nan().fill_null(False)
        seconds = _seconds(values, unit)
    else:
        return None
    future = (seconds > now + DAY).fill_null(False)
    negative = (seconds < 0).fill_null(False)
    fix = "give it a time that has been"
    if unit == "s" and ((seconds > now + DAY) & (seconds <= (now + DAY) * 1000)).any():
        fix = "pass --unit ms if the file holds milliseconds, or give a time that was"
    wrong = "unix seconds (or milliseconds with --unit ms) or an ISO date"
    return Converted(
        seconds,
        (
            ("missing value", "fill it in, or delete the row", missing),
            ("not a timestamp", f"write {wrong}", seconds.is_null() & ~missing),
            ("negative timestamp", "give it a time after 1970-01-01", negative),
            ("timestamp in the future", fix, future),
        ),
    )


def _seconds(values: pl.Series, unit: Unit) -> pl.Series:
    per_second = 1000 if unit == "ms" else 1
    whole = values.cast(pl.Int64, strict=False) // per_second
    if values.dtype.is_integer():
        return whole
    real = (values.cast(pl.Float64, strict=False) / per_second).floor()
    return whole.fill_null(real.cast(pl.Int64, strict=False))


def _iso(values: pl.Series) -> pl.Series:
    """Returns i64 seconds of ISO dates and times, UTC unless they say otherwise."""
    values = values.str.replace(r"^(\d{4}-\d\d-\d\d) +", "${1}T")
    found = values.str.to_datetime(ZONED, strict=False, time_unit="us").dt.epoch("s")
    for form in PLAIN:
        parsed = values.str.to_datetime(form, strict=False, time_unit="us")
        found = found.fill_null(parsed.dt.epoch("s"))
    return found
