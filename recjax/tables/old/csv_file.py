"""Reading a CSV file record by record, so that every oddity has a line number."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from recjax.tables.old.columns import Column, Table, resolve
from recjax.tables.report import Findings

SEPARATORS = {".csv": ",", ".tsv": "\t"}
BLOCK = 65_536
STRAY = "stray quote"


def read_csv(
    path: Path,
    schema: Sequence[Column],
    columns: Mapping[str, str],
    encoding: str,
    findings: Findings,
) -> Table | None:
    """Returns the schema's columns as text; see `tables.read_table`."""
    file, separator = path.name, SEPARATORS[path.suffix.lower()]
    if not _looks_like_text(path, encoding, findings):
        return None
    if codecs.lookup(encoding).name == "utf-8":
        encoding = "utf-8-sig"
    with open(path, encoding=encoding, errors="surrogateescape", newline="") as text:
        reader = csv.reader(text, delimiter=separator, strict=True)
        records = _records(reader, file, findings)
        _, header = next(records, (0, []))
        if not header or findings.count(file, STRAY):
            fix = "let the first row be the columns' names"
            findings.of_file(file, "header cannot be read", fix)
            return None
        names = resolve(header, separator, file, schema, columns, findings)
        if names is None:
            return None
        at = [header.index(name) for name in names.values()]
        frames, rows = [], 0
        for lines, fields in _blocks(records):
            rows += len(lines)
            frames.append(_frame(lines, fields, header, names, at, file, findings))
    findings.read(file, rows + findings.count(file, STRAY))
    if not rows:
        findings.of_file(file, "no rows", "give it rows below the header")
        return None
    return Table(file, names, pl.concat(frames))


def _looks_like_text(path: Path, encoding: str, findings: Findings) -> bool:
    with open(path, "rb") as file:
        head = file.read(BLOCK)
    if not head.strip():
        findings.of_file(path.name, "empty file", "give it a header and rows")
        return False
    if b"\0" in head and not encoding.lower().startswith("utf-16"):
        utf16 = head[:2] in (b"\xff\xfe", b"\xfe\xff")
        fix = "save it as CSV in UTF-8" + (" or pass --encoding utf-16" * utf16)
        value = "UTF-16 text" if utf16 else repr(head[:8])
        findings.of_file(path.name, "not a text file", fix, value)
        return False
    return True


def _records(
    reader: csv.reader, file: str, findings: Findings
) -> Iterator[tuple[int, list[str]]]:
    """Yields (line, fields) of records that are not blank."""
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except UnicodeError as error:
            fix = "pass the right --encoding"
            findings.of_file(file, "cannot be decoded", fix, str(error))
            return
        except csv.Error as error:
            if "unexpected end" in str(error) or "field limit" in str(error):
                kind = "a quote is opened and never closed"
                fix = f'close it, or write a " inside a field as "" (row {line})'
                findings.of_file(file, kind, fix, f"row {line}")
                return
            fix = 'write a " inside a quoted field as ""'
            why = [str(error)]
            findings.of_rows(file, "", STRAY, [line], why, fix, quote=False)
            continue
        if fields:
            yield line, fields


def _blocks(
    records: Iterator[tuple[int, list[str]]],
) -> Iterator[tuple[list[int], list[list[str]]]]:
    lines, fields = [], []
    for line, record in records:
        lines.append(line)
        fields.append(record)
        if len(lines) == BLOCK:
            yield lines, fields
            lines, fields = [], []
    if lines:
        yield lines, fields


def _frame(
    lines: list[int],
    fields: list[list[str]],
    header: list[str],
    names: Mapping[str, str],
    at: list[int],
    file: str,
    findings: Findings,
) -> pl.DataFrame:
    """Returns the wanted fields of one block, without records that are malformed."""
    width = len(header)
    odd = [i for i, record in enumerate(fields) if len(record) != width]
    if odd:
        found = [f"{len(fields[i])} fields" for i in odd]
        fix = f"give it {width} fields as the header has; quote a field with a comma"
        where = [lines[i] for i in odd]
        kind = "wrong number of fields"
        findings.of_rows(file, "", kind, where, found, fix, quote=False)
        lines, fields = _without(lines, fields, odd)
    try:
        return _columns(lines, fields, names, at)
    except UnicodeEncodeError:  # bytes that are no text, kept as lone surrogates
        odd = []
        for i, record in enumerate(fields):
            for name, j in zip(names.values(), at, strict=True):
                if not _is_text(record[j]):
                    fix = "save the file as UTF-8, or pass --encoding (say latin-1)"
                    kind = "bytes that are not UTF-8"
                    findings.of_rows(file, name, kind, [lines[i]], [record[j]], fix)
                    odd.append(i)
                    break
        return _columns(*_without(lines, fields, odd), names, at)


def _columns(
    lines: list[int],
    fields: list[list[str]],
    names: Mapping[str, str],
    at: list[int],
) -> pl.DataFrame:
    columns = {
        name: pl.Series([record[j] for record in fields], dtype=pl.String)
        for name, j in zip(names, at, strict=True)
    }
    return pl.DataFrame({"row": pl.Series(lines, dtype=pl.Int64), **columns})


def _without(lines: list[int], fields: list[list[str]], odd: list[int]) -> tuple:
    drop = set(odd)
    keep = [i for i in range(len(lines)) if i not in drop]
    return [lines[i] for i in keep], [fields[i] for i in keep]


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
