"""Deciding the unit of timestamps that are numbers, from all of them.

Seconds, milli-, micro- and nanoseconds from 1990 to tomorrow are ranges of numbers that
do not meet, so that one value says its unit, and what is in no range is no such time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from recjax.tables.convert import Problem
from recjax.tables.times import DAY, FIRST, MISSING, Times

Unit = Literal["s", "ms", "us", "ns"]
NANOSECONDS: dict[Unit, int] = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
WORDS: dict[Unit, str] = {
    **{"s": "seconds", "ms": "milliseconds"},
    **{"us": "microseconds", "ns": "nanoseconds"},
}


@dataclass(frozen=True)
class Decided:
    """What all times of a column are.

    Attributes:
      values: i64[n] nanoseconds; meaningless where there is a problem.
      unit: of the numbers among them; None without any.
      problems: numbers that are out of range in that unit.
      trouble: kind, fix and value where the column as a whole cannot be understood.
    """

    values: np.ndarray
    unit: Unit | None = None
    problems: Sequence[Problem] = ()
    trouble: tuple[str, str, str] | None = None


def decide(times: Sequence[Times], unit: Unit | None, now: float) -> Decided:
    """Decides the unit of the numbers from all of them, unless it is given."""
    numbers = np.concatenate([block.numbers for block in times])
    there = numbers != MISSING
    dates = _joined([block.dates for block in times], times, MISSING)
    if not there.any():
        return Decided(numbers if dates is None else dates)
    if unit is None:
        counts = {u: _count(numbers, *bounds(u, now)) for u in NANOSECONDS}
        trouble = _trouble(numbers[there], counts, dates)
        if trouble:
            return Decided(numbers, trouble=trouble)
        unit = max(counts, key=counts.__getitem__)
    low, high = bounds(unit, now)
    late = there & (numbers > high)
    early = there & (numbers < low)
    values = np.where(there & ~late & ~early, numbers, 0) * NANOSECONDS[unit]
    billionths = _joined([block.billionths for block in times], times, 0)
    if billionths is not None:
        values += billionths * NANOSECONDS[unit] // 10**9
    values[~there] = MISSING if dates is None else dates[~there]
    found = [
        ("timestamp in the future", late),
        ("negative timestamp", early & (numbers < 0)),
        ("timestamp before 1990", early & (numbers >= 0)),
    ]
    return Decided(
        values,
        unit,
        [
            Problem(kind, _fix(int(numbers[bad][0]), unit, now), bad, numbers[bad])
            for kind, bad in found
            if bad.any()
        ],
    )


def _fix(number: int, unit: Unit, now: float) -> str:
    what = f"give it a time from 1990 to tomorrow in {WORDS[unit]} as the others"
    return what + reading(number, now)


def bounds(unit: Unit, now: float) -> tuple[int, int]:
    """Returns the numbers of 1990 and of tomorrow in a unit."""
    per_second = 10**9 // NANOSECONDS[unit]
    return FIRST * per_second, int((now + DAY) * per_second)


def reading(number: int, now: float) -> str:
    """Returns what a number that is no time in the decided unit may be, or ""."""
    for unit in NANOSECONDS:
        low, high = bounds(unit, now)
        if low <= number <= high:
            seconds = number * NANOSECONDS[unit] // 10**9
            return f" ({number} is {iso(seconds)} in {WORDS[unit]}?)"
    day = number // 10**6 if number > 10**13 else number
    try:
        date = dt.datetime.strptime(str(day), "%Y%m%d").date()
        return f" ({number} is the date {date} as YYYYMMDD?)"
    except ValueError:
        return ""


def iso(seconds: int) -> str:
    """Returns the date of unix seconds."""
    return str(dt.datetime.fromtimestamp(seconds, dt.UTC).date())


def _count(numbers: np.ndarray, low: int, high: int) -> int:
    return int(np.count_nonzero((numbers >= low) & (numbers <= high)))


def _joined(
    found: list[np.ndarray | None], times: Sequence[Times], empty: int
) -> np.ndarray | None:
    if all(part is None for part in found):
        return None
    pairs = zip(found, times, strict=True)
    return np.concatenate(
        [np.full(len(t.numbers), empty) if part is None else part for part, t in pairs]
    )


def _trouble(
    numbers: np.ndarray, counts: dict[Unit, int], dates: np.ndarray | None
) -> tuple[str, str, str] | None:
    """Returns why the unit cannot be told."""
    right = {unit: n for unit, n in counts.items() if n}
    low, high = int(numbers.min()), int(numbers.max())
    if max(counts.values()) < 0.9 * sum(counts.values()):
        fix = "write them all in one unit"
        value = ", ".join(f"{n:,} in {WORDS[unit]}" for unit, n in right.items())
        return "times of several units", fix, value
    if right or (dates is not None and (dates != MISSING).any()):
        return None
    value = f"numbers from {low} to {high}"
    if all("YYYYMMDD" in reading(n, 0) for n in (low, int(numbers[0]), high)):
        fix = "write them as dates: 2023-11-05, not 20231105"
        return "days written as numbers", fix, value
    fix = (
        "give times from 1990 to tomorrow in seconds, milliseconds, microseconds or "
        "nanoseconds since 1970, or as ISO dates"
    )
    return "no unit of time fits", fix, value + reading(high, 4e9)
