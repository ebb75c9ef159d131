"""Reading JSON lines: an object a line, its values as they are written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from recjax.tables.blocks import Block, Opened, Unusable
from recjax.tables.lines import CHUNK, Lines
from recjax.tables.report import Findings

Record = tuple[int, dict[str, Any]]


def open_json(lines: Lines, file: str, findings: Findings) -> Opened:
    """Reads the first lines: what they name is the header.

    Args:
      lines: the file.
      file: its name in reports.
      findings: where problems of rows go.

    Raises:
      Unusable: no line holds an object; reading blocks raises it too.
    """
    decoder = json.JSONDecoder(
        object_pairs_hook=_object, parse_int=str, parse_float=str, parse_constant=str
    )
    first, lost = _records(lines, decoder, file, findings)
    header = list(dict.fromkeys(name for _, record in first for name in record))
    if not header:
        raise Unusable("no objects", 'write a line such as {"name": "value"} each row')

    def blocks(names: Sequence[str]) -> Iterator[Block]:
        yield _block(first, lost, names)
        while True:
            records, bad = _records(lines, decoder, file, findings)
            if not records and not bad:
                return
            new = {name for _, record in records for name in record} - set(header)
            if new:
                row = next(row for row, record in records if new & set(record))
                fix = "give it in the first record, with null where it is missing"
                value = f"{min(new)!r} in row {row}"
                raise Unusable("a column that the first records lack", fix, value)
            yield _block(records, bad, names)

    return Opened(header, "", blocks)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name given twice")
    return found


def _record(decoder: json.JSONDecoder, line: str) -> dict[str, Any]:
    """Returns the object of a line.

    Raises:
      ValueError: it is none, or one that no table can hold.
    """
    record = decoder.decode(line.strip())
    if not isinstance(record, dict):
        raise ValueError("not an object")
    if any(isinstance(value, dict) for value in record.values()):
        raise ValueError("an object inside of it")
    if "\\u" in line:
        json.dumps(record, ensure_ascii=False).encode()
    return record


def _records(
    lines: Lines, decoder: json.JSONDecoder, file: str, findings: Findings
) -> tuple[list[Record], int]:
    """Returns the objects of the next lines, and how many lines hold none."""
    found, lost, end = [], 0, lines.place + CHUNK
    for line in lines.lines():
        row = lines.line
        if line.strip():
            try:
                found.append((row, _record(decoder, line.decode())))
            except (ValueError, RecursionError) as error:
                lost += 1
                why = str(error) if isinstance(error, ValueError) else "too deep"
                fix = 'write an object such as {"name": "value"} in one line, in UTF-8'
                kind = "not a JSON object"
                findings.of_rows(file, "", kind, [row], [why], fix, quote=False)
        if lines.place >= end:
            break
    return found, lost


def _block(records: list[Record], lost: int, names: Sequence[str]) -> Block:
    columns = {n: _series([record.get(n) for _, record in records]) for n in names}
    rows = np.array([row for row, _ in records], np.int64)
    return Block(pl.DataFrame(columns), rows, lost)


def _series(values: list[Any]) -> pl.Series:
    """Returns texts; lists of texts, or of lists of such, where any value is a list."""
    depth = max((_depth(value) for value in values), default=0)
    dtype = pl.String
    for _ in range(depth):
        dtype = pl.List(dtype)
    return pl.Series([_nested(value, depth) for value in values], dtype=dtype)


def _depth(value: Any) -> int:
    if not isinstance(value, list):
        return 0
    return 1 + max((_depth(inner) for inner in value), default=0)


def _nested(value: Any, depth: int) -> Any:
    """Returns a value as lists of that depth, with a text for each scalar."""
    if isinstance(value, list):
        return [_nested(inner, depth - 1) for inner in value]
    if isinstance(value, bool):
        value = "true" if value else "false"
    for _ in range(depth if value is not None else 0):
        value = [value]
    return value
