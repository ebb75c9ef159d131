"""CSV record by record: what is wrong with each that cannot be taken apart."""

from __future__ import annotations

import csv
from collections.abc import Sequence

import numpy as np
import polars as pl

from recjax.tables.blocks import Block, Unusable
from recjax.tables.lines import LONGEST, Lines
from recjax.tables.report import Findings

UTF8 = "save the file as UTF-8, or pass --encoding (say latin-1)"
Record = tuple[int, list[str] | str]
"""The line, and the fields, or what is wrong with the quotes."""


class Records:
    """Reads the records of a file that are not blank."""

    def __init__(self, lines: Lines, separator: str) -> None:
        """Reads on from where `lines` is, at each call."""
        self._lines = lines
        text = (line.decode("utf-8", "surrogateescape") for line in lines.lines())
        self._reader = csv.reader(text, delimiter=separator, strict=True)

    def read(self, size: int) -> list[Record]:
        """Returns the records that begin in the next `size` bytes, if any, or one.

        Raises:
          Unusable: a quote is never closed.
        """
        before = csv.field_size_limit(LONGEST)
        found, end = [], self._lines.place + size
        try:
            while not found or self._lines.place < end:
                found += self._next()
        except StopIteration:
            pass
        finally:
            csv.field_size_limit(before)
        return found

    def _next(self) -> list[Record]:
        row = self._lines.line + 1
        try:
            fields = next(self._reader)
            return [(row, fields)] if fields else []
        except csv.Error as error:
            why = str(error)
        if "unexpected end" in why or "field limit" in why:
            fix = f'close it, or write a " inside a field as "" (row {row})'
            kind = "a quote is opened and never closed"
            raise Unusable(kind, fix, f"row {row}")
        return [(row, why)]


def checked(
    records: list[Record],
    width: int,
    names: Sequence[str],
    at: Sequence[int],
    file: str,
    findings: Findings,
) -> Block:
    """Returns the wanted fields of the records that are not malformed.

    Args:
      records: the records.
      width: fields of the header.
      names: columns wanted.
      at: their places in the header.
      file: its name in reports.
      findings: where problems go.
    """
    rows, kept = [], []
    for row, fields in records:
        if isinstance(fields, str):
            fix = 'write a " inside a quoted field as ""'
            kind, column, value, quote = "stray quote", "", fields, False
        elif len(fields) != width:
            fix = (
                f"give it {width} fields as the header has; quote a field with a comma"
            )
            kind, column, quote = "wrong number of fields", "", False
            value = f"{len(fields)} fields"
        elif odd := [j for j in at if not is_text(fields[j])]:
            kind, fix, quote = "bytes that are not UTF-8", UTF8, True
            column, value = names[at.index(odd[0])], fields[odd[0]]
        else:
            rows.append(row)
            kept.append(fields)
            continue
        findings.of_rows(file, column, kind, [row], [value], fix, quote=quote)
    frame = pl.DataFrame(
        {
            name: pl.Series([f[j] for f in kept], dtype=pl.String)
            for name, j in zip(names, at, strict=True)
        }
    )
    return Block(frame, np.array(rows, np.int64), len(records) - len(rows))


def is_text(value: str) -> bool:
    """Returns whether a text holds no byte that is not UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
