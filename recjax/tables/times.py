"""Timestamps of a block: numbers in a unit yet to be decided, and dates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from recjax.seconds import DAY
from recjax.tables.convert import FILL, Problem, WrongType, plain, problems

FIRST = 631_152_000
"""Unix seconds of 1990-01-01."""
MISSING = np.iinfo(np.int64).min
ZONED = "%Y-%m-%dT%H:%M:%S%.f%#z"
FORMS = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d")


@dataclass(frozen=True)
class Times:
    """Times of a block; a row without a number and without a date has none.

    Attributes:
      numbers: i64[n] whole numbers in a unit to be found; `MISSING` where none is.
      billionths: i64[n] of that unit, or None where all are 0.
      dates: i64[n] nanoseconds of dates, or `MISSING`; None without dates.
    """

    numbers: np.ndarray
    billionths: np.ndarray | None = None
    dates: np.ndarray | None = None


def to_times(
    values: pl.Series, now: float, *, filled: bool
) -> tuple[Times, list[Problem]]:
    """Returns numbers and dates apart; dates outside of 1990 to tomorrow are problems.

    Raises:
      WrongType: neither numbers, texts nor dates.
    """
    values = plain(values)
    missing = values.is_null()
    needs = "dates, or seconds since 1970 as integers (float32 rounds them)"
    if isinstance(values.dtype, pl.Date | pl.Datetime):
        dates, found = _dates(values, now)
        times = Times(np.full(len(values), MISSING), None, dates)
        found += problems(("missing value", FILL, missing)) if filled else []
        return times, found
    if values.dtype == pl.String:
        values = values.str.strip_chars()
        missing |= (values == "").fill_null(False)
    elif values.dtype.is_float() and values.dtype != pl.Float32:
        missing |= values.is_nan().fill_null(False)
    elif not values.dtype.is_integer():
        raise WrongType(values.dtype, needs)
    numbers, rest = _whole(values, missing)
    billionths = dates = None
    found = problems(("missing value", FILL, missing)) if filled else []
    if rest.any():
        odd = values.filter(rest)
        mask, wrong = rest.to_numpy(), np.zeros(len(values), bool)
        billionths, dates = np.zeros(len(values), np.int64), None
        numbers[mask], billionths[mask] = _decimals(odd)
        lost = numbers[mask] == MISSING
        if values.dtype == pl.String and lost.any():
            dates = np.full(len(values), MISSING)
            at = np.flatnonzero(mask)[lost]
            dates[at], bad = _dates(_iso(odd.filter(pl.Series(lost))), now)
            for problem in bad:
                where = np.zeros(len(values), bool)
                where[at] = problem.bad
                found.append(Problem(problem.kind, problem.fix, where))
                wrong |= where
        wrong = mask & (numbers == MISSING) & ~wrong
        if dates is not None:
            wrong &= dates == MISSING
        fix = "write unix seconds (or with --unit ms, us or ns those) or an ISO date"
        found += problems(("not a timestamp", fix, wrong))
    return Times(numbers, billionths, dates), found


def _whole(values: pl.Series, missing: pl.Series) -> tuple[np.ndarray, pl.Series]:
    """Returns integers, `MISSING` for others, and which of them are there."""
    whole = values.cast(pl.Int64, strict=False)
    if values.dtype.is_float():
        whole = pl.select(
            pl.when(whole.cast(pl.Float64) == values).then(whole)
        ).to_series()
    rest = whole.is_null() & ~missing
    return whole.fill_null(MISSING).to_numpy().copy(), rest


def _decimals(values: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Returns whole units and billionths of numbers with a fraction, or `MISSING`."""
    if values.dtype == pl.String:
        apart = values.str.extract_groups(r"^\+?(\d+)\.(\d+)$").struct.unnest()
        whole = apart["1"].cast(pl.Int64, strict=False)
        digits = apart["2"].str.slice(0, 9).str.pad_end(9, "0")
        exact = digits.cast(pl.Int64, strict=False).fill_null(0)
    else:
        whole = pl.Series([None] * len(values), dtype=pl.Int64)
        exact = pl.Series([0] * len(values), dtype=pl.Int64)
    real = values.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
    near = np.where(np.abs(real) < 9e18, real, np.nan)
    floor = np.floor(near)
    parts = np.rint((near - floor) * 1e9)
    floor, parts = floor + (parts == 1e9), np.where(parts == 1e9, 0, parts)
    known = np.isfinite(near)
    about = np.where(known, floor, 0).astype(np.int64)
    about[~known] = MISSING
    is_exact = whole.is_not_null().to_numpy()
    numbers = np.where(is_exact, whole.fill_null(0).to_numpy(), about)
    parts = np.where(known, parts, 0).astype(np.int64)
    return numbers, np.where(is_exact, exact.to_numpy(), parts)


def _iso(values: pl.Series) -> pl.Series:
    """Returns ISO dates and times as datetimes, UTC unless they say otherwise."""
    values = values.str.replace(r"^(\d{4}-\d\d-\d\d) +", "${1}T")
    # Microseconds reach all years that can be written; nanoseconds only to 2262.
    near = values.str.extract(r"(\.\d{7,9})(?:\D|$)").is_not_null().any()
    unit = "ns" if near else "us"
    found = values.str.to_datetime(ZONED, strict=False, time_unit=unit)
    found = found.dt.replace_time_zone(None)
    for form in FORMS:
        parsed = values.str.to_datetime(form, strict=False, time_unit=unit)
        found = found.fill_null(parsed)
    return found


def _dates(values: pl.Series, now: float) -> tuple[np.ndarray, list[Problem]]:
    """Returns i64 nanoseconds, `MISSING` for none, and what is out of range."""
    seconds = values.dt.epoch("s")
    late, early = seconds > now + DAY, seconds < FIRST
    found = problems(
        ("timestamp before 1990", "give it a time from 1990 to tomorrow", early),
        ("timestamp in the future", "give it a time that has been", late),
    )
    right = pl.select(pl.when(~(late | early)).then(values)).to_series()
    nanoseconds = (
        right.dt.cast_time_unit("ns")
        if right.dtype != pl.Date
        else (right.cast(pl.Datetime("ns")))
    )
    return nanoseconds.to_physical().fill_null(MISSING).to_numpy(), found
