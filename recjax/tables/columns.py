"""Columns that a user's file must hold, and finding them under the user's names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from recjax.errors import nearest
from recjax.tables.report import Findings

# fmt: off
Type = Literal[
    "id", "text", "category", "categories", "number", "timestamp", "vector", "bits",
    "image", "ids",
]
# fmt: on


@dataclass(frozen=True)
class Column:
    """A column that a file must or may have.

    Attributes:
      name: its name in recjax, and in the file unless renamed.
      type: what its values are read as.
      required: whether the file must have it.
      filled: whether a missing value is a problem.
      least: the smallest number allowed.
      guessed: whether its first rows alone said the type: of a number, zeros in front
        are a problem then, for they say that it is none.
    """

    name: str
    type: Type
    required: bool = True
    filled: bool = True
    least: float | None = None
    guessed: bool = False


def resolve(
    header: Sequence[str],
    file: str,
    schema: Sequence[Column],
    rename: Mapping[str, str],
    findings: Findings,
    separator: str = "",
    table: str | None = "",
) -> dict[str, str] | None:
    """Finds the schema's columns in a file; problems go to `findings`.

    Args:
      header: the file's columns.
      file: its name in reports.
      schema: the columns wanted.
      rename: the file's name -> recjax's, where they differ.
      findings: where problems go.
      separator: of a CSV file, for a hint.
      table: what options call the file, where they must say which they mean; None
        where there are no options.

    Returns:
      recjax's name -> the file's, of those that are there; None if a required one is
      not, or a name is not clear.
    """
    before = findings.fatal
    for theirs in rename:
        if theirs not in header:
            value = f"{theirs!r}{nearest(theirs, header)}"
            fix = f"correct --rename {theirs}={rename[theirs]}"
            findings.of_file(file, "renamed column is not there", fix, value)
    names, wanted = {}, {column.name for column in schema}
    for theirs in header:
        name = rename.get(theirs, theirs)
        if name in names and name in wanted:
            kind, value, fix = "column given twice", repr(theirs), "rename one of them"
            if names[name] != theirs:
                kind, fix = "two columns of one name", "rename only one of them"
                value = f"{names[name]!r} and {theirs!r} are both {name!r}"
            findings.of_file(file, kind, fix, value)
        names.setdefault(name, theirs)
    for column in schema:
        if column.required and column.name not in names:
            fix = f"add it, or {renamed(column.name, table)}"
            value = f"{column.name!r} (the file has {_header_text(header)})"
            value += nearest(column.name, header) + _header_hint(header, separator)
            findings.of_file(file, "missing column", fix, value)
    if findings.fatal > before:
        return None
    return {c.name: names[c.name] for c in schema if c.name in names}


def renamed(ours: str, table: str | None = "") -> str:
    """Returns how a file's column gets recjax's name; see `resolve`."""
    if table is None:
        return "rename yours in the file"
    return f"name yours: --rename {table and table + ':'}NAME={ours}"


def _header_text(header: Sequence[str]) -> str:
    text = ", ".join(repr(name) for name in header)
    return text if len(text) <= 200 else text[:197] + "..."


def _header_hint(header: Sequence[str], separator: str) -> str:
    if separator and len(header) == 1:
        for other, name in ((";", "semicolons"), ("\t", "tabs"), (",", "commas")):
            if other != separator and other in header[0]:
                return f" It seems to be separated by {name}: save it as real CSV."
    if any(re.fullmatch(r"[\d.+-]+", name.strip()) for name in header):
        return " The first row must hold the columns' names."
    return ""
