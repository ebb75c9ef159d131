"""What a table holds, read by the csv and json modules and Decimal alone."""

import csv
import datetime as dt
import json
import re
from collections import Counter
from decimal import Decimal, InvalidOperation

import numpy as np

SPACES = "".join(
    chr(c) for c in range(0x3001) if chr(c).isspace() and not 28 <= c <= 31
)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)([T ](\d\d:\d\d)(:\d\d)?(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?)?",
    re.ASCII,
)
PER = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
FIRST = int(dt.datetime(1990, 1, 1, tzinfo=dt.UTC).timestamp())
NOW = 1_800_000_000
BAD, UNCLEAR = "bad", "unclear"


class Fatal(Exception):
    """The file as a whole cannot be read."""


def csv_rows(content, separator, names):
    """Returns {row: fields by name, or BAD}."""
    text = content.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)
    reader = csv.reader(iter(lines), delimiter=separator, strict=True)
    header, rows = None, {}
    while True:
        row = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            if "unexpected end" in str(error) or header is None:
                raise Fatal from None
            rows[row] = BAD
            continue
        if not fields:
            continue
        if header is None:
            header = fields
            if any(header.count(name) != 1 for name in names):
                raise Fatal
            if not all(map(is_text, header)):
                raise Fatal
        elif len(fields) != len(header):
            rows[row] = BAD
        else:
            found = {name: fields[header.index(name)] for name in names}
            rows[row] = found if all(map(is_text, found.values())) else BAD
    return rows


def json_rows(content, names):
    """Returns {row: values by name, or BAD}; numbers as they are written."""
    rows, seen = {}, set()
    lines = re.findall(
        rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", content.removeprefix(b"\xef\xbb\xbf")
    )
    for row, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            pairs = json.loads(
                line.decode(),
                object_pairs_hook=list,
                parse_int=Written,
                parse_float=Written,
                parse_constant=Written,
            )
            if not line.strip().startswith(b"{"):
                raise ValueError
            found = dict(pairs)
            if len(found) < len(pairs):
                raise ValueError
            "".join(map(str, found.values())).encode()
            "".join(found).encode()
        except ValueError:
            rows[row] = BAD
            continue
        seen |= set(found)
        rows[row] = {name: found.get(name) for name in names}
    if not set(names) <= seen:
        raise Fatal
    return rows


class Written(str):
    """A number of JSON as it is written."""


def is_text(value):
    try:
        return bool(value.encode()) or True
    except UnicodeEncodeError:
        return False


def label(value):
    """Returns the text of an id, category or text; "" for missing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.strip(SPACES)


def decimal(text):
    """Returns a number exactly, if its exponent is not beyond all bounds."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal(float(text))


def number(value):
    """Returns float32 (NaN for missing) or BAD."""
    text = label(value)
    if not text:
        return np.float32("nan")
    if text.lower() in ("nan", "+nan", "-nan"):
        return np.float32("nan")
    if not NUMBER.fullmatch(text):
        return BAD
    exact = decimal(text)
    return BAD if abs(exact) > Decimal("3.4e38") else np.float32(float(exact))


def time(value):
    """Returns ("number", Decimal), ("date", ns), None for missing, BAD or UNCLEAR."""
    text = label(value)
    if not text:
        return None
    if NUMBER.fullmatch(text):
        exact = decimal(text)
        if INTEGER.fullmatch(text):
            return ("number", exact) if -(2**63) <= exact < 2**63 else BAD
        if not re.fullmatch(r"\d+\.\d+", text):
            near = float(text)
            exact = Decimal(near if abs(near) < 9e18 else 0)
            exact = round(exact, 9) if abs(exact) < 10**15 else exact
        return ("number", exact) if abs(float(text)) < 9e18 else BAD
    found = ISO.fullmatch(text)
    if not found:
        return UNCLEAR if re.search(r"\d-\d", text) else BAD
    day, clock, minutes, seconds, part, zone = found.groups()
    if clock and not seconds and (part or zone):
        return UNCLEAR
    try:
        moment = dt.datetime.fromisoformat(
            day + "T" + (minutes or "00:00") + (seconds or ":00")
        )
        hours = dt.timedelta(0)
        if zone and zone != "Z":
            sign = -1 if zone[0] == "-" else 1
            hours = sign * dt.timedelta(hours=int(zone[1:3]), minutes=int(zone[4:]))
    except ValueError:
        return UNCLEAR if ":6" in text or "24:" in text else BAD
    whole = (moment - hours - dt.datetime(1970, 1, 1)) // dt.timedelta(seconds=1)
    nanoseconds = int((part or ".")[1:].ljust(9, "0"))
    if not FIRST <= whole <= NOW + 86_400:
        return BAD
    return "date", whole * 10**9 + nanoseconds


def times(values):
    """Returns {row: i64 ns, None, BAD or UNCLEAR} of {row: time(...)}.

    Raises:
      Fatal: no unit fits all.
    """
    numbers = {
        row: v[1]
        for row, v in values.items()
        if isinstance(v, tuple) and v[0] == "number"
    }
    wholes = {row: int(n // 1) for row, n in numbers.items()}
    units = Counter(
        unit
        for n in wholes.values()
        for unit, per in PER.items()
        if FIRST * 10**9 // per <= n <= (NOW + 86_400) * 10**9 // per
    )
    dates = any(isinstance(v, tuple) and v[0] == "date" for v in values.values())
    if numbers and not units and not dates:
        raise Fatal
    if units and max(units.values()) < 0.9 * units.total():
        raise Fatal
    unit = max(PER, key=lambda u: units[u])
    made = {}
    for row, value in values.items():
        if row in numbers:
            low, high = (s * 10**9 // PER[unit] for s in (FIRST, NOW + 86_400))
            right = low <= wholes[row] <= high
            made[row] = int(numbers[row] * PER[unit] // 1) if right else BAD
        else:
            made[row] = value[1] if isinstance(value, tuple) else value
    return made


def expected(rows, ids=("user",)):
    """Returns {row: (user, brand, title, price, ns), BAD or UNCLEAR}.

    Args:
      rows: {row: values by name, or BAD}.
      ids: without one of these a row is bad.

    Raises:
      Fatal: no unit fits all times.
    """
    good = {}
    for row, values in rows.items():
        if values != BAD and all(label(values[name]) for name in ids):
            price, when = number(values["price"]), time(values["time"])
            if not isinstance(price, str) and when not in (None, BAD):
                good[row] = price, when
    clocks = times({row: when for row, (_, when) in good.items()})
    made = {}
    for row, values in rows.items():
        made[row] = clock = clocks.get(row, BAD)
        if clock not in (BAD, UNCLEAR):
            labels = (label(values[name]) for name in ("user", "brand", "title"))
            made[row] = (*labels, repr(good[row][0]), clock)
    return made
