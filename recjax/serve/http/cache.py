"""Answers that are asked for again, kept by what was asked, a row at a time."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import orjson

from recjax.bundle.contract import Columns, Signature

Row = dict[str, Any]
Wait = Callable[[Row | Exception], None]
Value = TypeVar("Value")
OVERHEAD = 400
"""Bytes of an answer beside its values."""


class Kept(Generic[Value]):
    """Values by key, the last used, of some bytes and seconds.

    Attributes:
      size: bytes that are held.
    """

    def __init__(self, most: float, seconds: float) -> None:
        """Keeps values of `most` bytes together, each for some seconds."""
        self._most, self._seconds = most, seconds
        self._held: OrderedDict[Any, tuple[Value, int, float]] = OrderedDict()
        self.size = 0

    def get(self, key: Any) -> Value | None:
        """Returns what is held of a key, if it is not too old."""
        found = self._held.get(key)
        if found is None:
            return None
        if found[2] < time.monotonic():
            self._drop(key)
            return None
        self._held.move_to_end(key)
        return found[0]

    def put(self, key: Any, value: Value, size: int) -> None:
        """Keeps a value of some bytes; the least used make room for it."""
        if key in self._held:
            self._drop(key)
        size += OVERHEAD
        self._held[key] = (value, size, time.monotonic() + self._seconds)
        self.size += size
        while self.size > self._most:
            self._drop(next(iter(self._held)))

    def _drop(self, key: Any) -> None:
        self.size -= self._held.pop(key)[1]


class Cache:
    """Answers by row; one loop uses it.

    Attributes:
      held: the answers.
      flying: key of a row that is asked for -> who waits for it.
    """

    def __init__(self, most: float, seconds: float) -> None:
        """Keeps answers of `most` bytes together, each for some seconds."""
        self.held: Kept[Row] = Kept(most, seconds)
        self.flying: dict[bytes, list[Wait]] = {}

    def sort(
        self, keys: Sequence[bytes]
    ) -> tuple[dict[bytes, Row], list[bytes], dict[bytes, int]]:
        """Returns what is held, what is awaited already, and the places of the rest."""
        rows, awaited, mine = {}, dict[bytes, None](), {}
        for at, key in enumerate(keys):
            found = self.held.get(key)
            if found is not None:
                rows[key] = found
            elif key in self.flying:
                awaited[key] = None
            else:
                mine.setdefault(key, at)
        return rows, [*awaited], mine

    def fly(self, keys: Iterable[bytes]) -> None:
        """Notes that rows are asked for, so that nobody else asks for them."""
        self.flying |= {key: [] for key in keys}

    def wait(self, key: bytes, told: Wait) -> None:
        """Has somebody told a row that flies, or why there is none."""
        self.flying[key].append(told)

    def land(self, keys: Sequence[bytes], rows: Sequence[Row | Exception]) -> None:
        """Keeps rows that are there now, and tells who waits; an exception is told."""
        for key, row in zip(keys, rows, strict=True):
            if not isinstance(row, Exception):
                self.held.put(key, row, sum(map(_bytes, row.values())))
            for told in self.flying.pop(key):
                told(row)


def row_keys(
    model: str, name: str, signature: Signature, columns: Columns
) -> list[bytes]:
    """Returns a key for each row: the same where the answer must be the same.

    Args:
      model: its name and version.
      name: of the signature.
      signature: says which columns are texts, of which case and spaces do not count.
      columns: as a request gives them.
    """
    start = f"{model} {name} ".encode()
    normal = {
        column: [normalised(value) for value in values]
        if column in signature.texts
        else values
        for column, values in columns.items()
    }
    rows = zip(*normal.values(), strict=True)
    return [
        hashlib.blake2b(start + orjson.dumps(row), digest_size=16).digest()
        for row in rows
    ]


def normalised(text: str | None) -> str | None:
    """Returns a text without what its n-grams do not tell: case and more spaces."""
    if text is None or not text.isascii():
        return text
    return " ".join(part for part in text.lower().split(" ") if part)


def rows_of(columns: Columns) -> Iterator[Row]:
    """Yields the rows of columns, copied from larger arrays."""
    for row in zip(*columns.values(), strict=True):
        yield {
            name: value.copy() if isinstance(value, np.ndarray) else value
            for name, value in zip(columns, row, strict=True)
        }


def _bytes(value: Any) -> int:
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, dict):
        return sum(50 + len(name) + _bytes(one) for name, one in value.items())
    if not isinstance(value, list):
        return 32
    return sum(50 + (len(one) if isinstance(one, str | bytes) else 0) for one in value)
