"""Reading CSV: Polars takes whole blocks of lines whose bytes have been checked.

A block with anything odd in it (a row of another width, a stray quote, bytes that are
not UTF-8, blank lines ...) is read record by record, so that every oddity has its row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from recjax.tables.blocks import Block, Opened, Unusable
from recjax.tables.csv_records import UTF8, Records, checked, is_text
from recjax.tables.lines import Lines
from recjax.tables.report import Findings

BOM = b"\xef\xbb\xbf"
QUOTE, NEWLINE = ord('"'), ord("\n")


def open_csv(lines: Lines, separator: str, file: str, findings: Findings) -> Opened:
    """Reads the header.

    Args:
      lines: the file.
      separator: between fields.
      file: its name in reports.
      findings: where problems of rows go.

    Raises:
      Unusable: the header cannot be read; reading blocks raises it too.
    """
    records = Records(lines, separator)
    header = next((fields for _, fields in records.read(1)), "")
    if isinstance(header, str):
        fix = "let the first row be the columns' names"
        raise Unusable("header cannot be read", fix)
    if not all(map(is_text, header)):
        raise Unusable("header cannot be read", UTF8)

    def blocks(names: Sequence[str]) -> Iterator[Block]:
        at = [header.index(name) for name in names]
        while chunk := lines.chunk():
            block = _quick(chunk, lines, separator, len(header), names, at)
            if block is None:
                found = records.read(len(chunk))
                block = checked(found, len(header), names, at, file, findings)
            yield block

    return Opened(header, separator, blocks)


def _quick(
    chunk: bytes,
    lines: Lines,
    separator: str,
    width: int,
    names: Sequence[str],
    at: list[int],
) -> Block | None:
    """Returns the next block, or None if it may hold something odd."""
    last = len(chunk.rstrip(b"\r\n"))  # blank lines at the end are for later
    chunk = chunk[: chunk.find(b"\n", last) + 1 or chunk.rfind(b"\n") + 1]
    plain = _plain_records if b'"' in chunk else _plain_lines
    found = plain(chunk, ord(separator), width) if chunk else None
    if found is None:
        return None
    length, rows = found
    chunk = chunk[:length]
    if chunk.startswith(BOM) or not _is_utf8(chunk):
        return None
    columns = [f"column_{i + 1}" for i in range(width)]
    try:
        frame = pl.read_csv(
            chunk,
            has_header=False,
            separator=separator,
            quote_char='"' if b'"' in chunk else None,
            schema=dict.fromkeys(columns, pl.String),
            columns=[columns[i] for i in sorted(set(at))],
            empty_string_is_null=False,
        )
    except pl.exceptions.PolarsError:
        return None
    if frame.height != len(rows):
        return None
    first = lines.line + 1
    lines.skip(length, chunk.count(b"\n"))
    frame = frame.select(
        pl.col(columns[i]).alias(n) for i, n in zip(at, names, strict=True)
    )
    if isinstance(rows, np.ndarray):
        return Block(frame, rows + first)
    return Block(frame, range(first, first + len(rows)))


def _plain_lines(chunk: bytes, separator: int, width: int) -> tuple[int, range] | None:
    """Checks lines without a quote: length and, from 0, the line of each record."""
    data = np.frombuffer(chunk, np.uint8)
    marks = np.flatnonzero((data == separator) | (data == NEWLINE))
    if not _right(data, marks, separator, width) or _odd_returns(chunk):
        return None
    return len(chunk), range(len(marks) // width)


def _plain_records(
    chunk: bytes, separator: int, width: int
) -> tuple[int, np.ndarray] | None:
    """Checks records with quotes, up to the last line end outside of them."""
    data = np.frombuffer(chunk, np.uint8)
    quotes = np.flatnonzero(data == QUOTE)
    marks = np.flatnonzero((data == separator) | (data == NEWLINE))
    outside = np.searchsorted(quotes, marks) % 2 == 0
    newlines = data[marks] == NEWLINE
    ends = marks[newlines & outside]
    if not ends.size or _odd_returns(chunk):
        return None
    length = int(ends[-1]) + 1
    if not _well_quoted(data, quotes[quotes < length], separator):
        return None
    if not _right(data, marks[outside & (marks < length)], separator, width):
        return None
    line = np.cumsum(newlines)[newlines & outside]  # 1 + the line that it ends
    return length, np.concatenate([[0], line[:-1]])


def _right(data: np.ndarray, marks: np.ndarray, separator: int, width: int) -> bool:
    """Returns whether each record has as many fields as the header; none is blank."""
    ends = data[marks] == NEWLINE
    count = np.count_nonzero(ends)
    if len(marks) != count * width or not ends[width - 1 :: width].all():
        return False
    if width > 1:
        return True
    lengths = np.diff(marks, prepend=-1)
    returned = data[np.maximum(marks - 1, 0)] == ord("\r")
    return bool((lengths > 1 + returned).all())


def _well_quoted(data: np.ndarray, quotes: np.ndarray, separator: int) -> bool:
    """Returns whether quotes stand around fields, or twice inside of such."""
    opens, closes = quotes[::2], quotes[1::2]
    if len(opens) != len(closes):
        return False
    before = np.where(opens > 0, data[opens - 1], NEWLINE)
    after = data[closes + 1]
    right = (before == separator) | (before == NEWLINE) | (before == QUOTE)
    closed = (after == separator) | (after == NEWLINE) | (after == QUOTE)
    closed |= after == ord("\r")
    return bool(right.all() and closed.all())


def _odd_returns(chunk: bytes) -> bool:
    """Returns whether a carriage return stands without a line feed."""
    return b"\r" in chunk and chunk.count(b"\r") != chunk.count(b"\r\n")


def _is_utf8(chunk: bytes) -> bool:
    try:
        return chunk.isascii() or bool(chunk.decode())
    except UnicodeDecodeError:
        return False
