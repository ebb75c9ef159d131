"""Columns that a user's file must hold, and finding them under the user's names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from recjax.errors import nearest
from recjax.tables.report import Findings


@dataclass(frozen=True)
class Column:
    """A column that a file must or may have.

    Attributes:
      name: its name in recjax, and in the file unless mapped.
      kind: "id", "text", "note" (a text that may be empty), "number", "gain" (a number
        of at least 0) or "time"; in a catalogue's tables of entities also "words" (a
        text or a list of texts, any of which may be missing), "vectors" (a vector of
        numbers an image) or "codes" (bytes an image).
      required: whether the file must have it.
      shared: whether another file has it too: then a name it is mapped to may stand in
        either file.
    """

    name: str
    kind: str
    required: bool = True
    shared: bool = False


@dataclass(frozen=True)
class Table:
    """A file's columns as read, not yet checked.

    Attributes:
      file: the file's name.
      names: recjax's column name -> the file's.
      frame: columns by recjax's name, and `row`: the place in the file.
    """

    file: str
    names: Mapping[str, str]
    frame: pl.DataFrame


def resolve(
    header: list[str],
    separator: str,
    file: str,
    schema: Sequence[Column],
    columns: Mapping[str, str],
    findings: Findings,
) -> dict[str, str] | None:
    """Returns recjax's name -> the file's, or None where a required one is missing."""
    names, found = {}, True
    for column in schema:
        there = columns.get(column.name, column.name)
        if column.shared and there not in header:
            there = column.name
        if there in header:
            if header.count(there) > 1:
                found, fix = False, "rename one of them"
                findings.of_file(file, "column given twice", fix, repr(there))
            names[column.name] = there
        elif column.required or column.name in columns:
            found, fix = False, f"add it, or map it: --column {column.name}=NAME"
            value = f"{there!r} (the file has {_header_text(header)})"
            value += nearest(there, header) + _header_hint(header, separator)
            findings.of_file(file, "missing column", fix, value)
    return names if found else None


def _header_text(header: list[str]) -> str:
    text = ", ".join(repr(name) for name in header)
    return text if len(text) <= 200 else text[:197] + "..."


def _header_hint(header: list[str], separator: str) -> str:
    if separator and len(header) == 1:
        for other, name in ((";", "semicolons"), ("\t", "tabs"), (",", "commas")):
            if other != separator and other in header[0]:
                return f" It seems to be separated by {name}: save it as real CSV."
    if any(re.fullmatch(r"[\d.+-]+", name.strip()) for name in header):
        return " The first row must hold the columns' names."
    return ""
