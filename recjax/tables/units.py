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

from recjax.seconds import DAY
from recjax.tables.convert import Problem
from recjax.tables.times import FIRST, MISSING, Times
from recjax.text.column import offsets_of

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
    held = [block.numbers[block.numbers != MISSING] for block in times]
    ends = [(int(n.min()), int(n[0]), int(n.max())) for n in held if len(n)]
    if ends and unit is None:
        counts = {u: sum(_count(n, *bounds(u, now)) for n in held) for u in NANOSECONDS}
        dated = any(b.dates is not None and (b.dates != MISSING).any() for b in times)
        lows, firsts, highs = zip(*ends, strict=True)
        trouble = _trouble((min(lows), firsts[0], max(highs)), counts, dated)
        if trouble:
            return Decided(np.zeros(0, np.int64), trouble=trouble)
        unit = max(counts, key=counts.__getitem__)
    del held
    starts = offsets_of(np.array([len(block.numbers) for block in times], np.int64))
    values = np.empty(starts[-1], np.int64)
    # Block by block, for a hundred million times leave no room for steps in between.
    bad: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for block, start in zip(times, starts, strict=False):
        own, wrong = _nanoseconds(block, unit, now)
        values[start : start + len(own)] = own
        for kind, mask in wrong.items():
            at = start + np.flatnonzero(mask)
            bad.setdefault(kind, []).append((at, block.numbers[mask]))
    found = []
    for kind, parts in bad.items():
        at, shown = map(np.concatenate, zip(*parts, strict=True))
        mask = np.zeros(len(values), bool)
        mask[at] = True
        found.append(Problem(kind, _fix(int(shown[0]), unit or "s", now), mask, shown))
    return Decided(values, unit if ends else None, found)


def _nanoseconds(
    block: Times, unit: Unit | None, now: float
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Returns the times of a block, and which numbers are out of range, by kind."""
    numbers, dates = block.numbers, block.dates
    there = numbers != MISSING
    if unit is None or not there.any():
        return numbers if dates is None else dates, {}
    low, high = bounds(unit, now)
    late, early = there & (numbers > high), there & (numbers < low)
    values = np.where(there & ~late & ~early, numbers, 0) * NANOSECONDS[unit]
    if block.billionths is not None:
        values += block.billionths * NANOSECONDS[unit] // 10**9
    values[~there] = MISSING if dates is None else dates[~there]
    kinds = {
        "timestamp in the future": late,
        "negative timestamp": early & (numbers < 0),
        "timestamp before 1990": early & (numbers >= 0),
    }
    return values, {kind: mask for kind, mask in kinds.items() if mask.any()}


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


def _trouble(
    numbers: tuple[int, int, int], counts: dict[Unit, int], dated: bool
) -> tuple[str, str, str] | None:
    """Returns why the unit of numbers (least, first, largest) cannot be told."""
    right = {unit: n for unit, n in counts.items() if n}
    low, first, high = numbers
    if max(counts.values()) < 0.9 * sum(counts.values()):
        fix = "write them all in one unit"
        value = ", ".join(f"{n:,} in {WORDS[unit]}" for unit, n in right.items())
        return "times of several units", fix, value
    if right or dated:
        return None
    value = f"numbers from {low} to {high}"
    if all("YYYYMMDD" in reading(n, 0) for n in (low, first, high)):
        fix = "write them as dates: 2023-11-05, not 20231105"
        return "days written as numbers", fix, value
    fix = (
        "give times from 1990 to tomorrow in seconds, milliseconds, microseconds or "
        "nanoseconds since 1970, or as ISO dates"
    )
    return "no unit of time fits", fix, value + reading(high, 4e9)
