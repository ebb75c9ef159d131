"""Reading the tables of a data set under one schema each, and its entities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from recjax.data.new_items import with_id
from recjax.errors import nearest
from recjax.prepare import make
from recjax.prepare.options import SKIP, Files, How, option_of
from recjax.prepare.parts import Parted, Parts, read_parts
from recjax.tables.check import given_twice
from recjax.tables.columns import Column, Type
from recjax.tables.image_files import load
from recjax.tables.infer import infer
from recjax.tables.read import header, read
from recjax.tables.report import Findings
from recjax.tables.result import Options, Read
from recjax.tables.source import Part, Source
from recjax.tables.typed import Table, labels_of
from recjax.text.column import Texts

OF_ENTITIES = (
    *(Column(name, "text", False, False) for name in ("title", "description", "text")),
    Column("tags", "text", False, False),
    Column("created", "timestamp", False, False),
)
"""Columns of entities whose names say what they are."""
TEXT_LIKE = ("text", "category", "id")
SAMPLE = 1 << 18
"""Rows that say what a column is taken for, unless a later row is not of that type."""


@dataclass(frozen=True)
class Reading:
    """What is common to the tables of one data set.

    Attributes:
      files: the tables.
      how: the options.
      findings: where problems go.
      parts: how the parts of a table are read; None: by this process.
    """

    files: Files
    how: How
    findings: Findings
    parts: Parts | None = None

    def source(self, table: str) -> Any:
        """Returns where a table is from, under a name that no other table has."""
        given, paths = self.files.given, (str, Path)
        names = [Path(one).name for one in given.values() if isinstance(one, paths)]
        one = given[table]
        if isinstance(one, paths) and names.count(Path(one).name) > 1:
            if Path(one).is_file():
                return Source(str(one), (Part(str(one), Path(one)),))
        return one

    def header(self, table: str) -> tuple[str, ...]:
        """Returns the columns of a table by recjax's names; () if it is unreadable."""
        rename = self.how.names(table, self.files)
        options, source = self.how.options, self.source(table)
        return header(source, options, Findings(), rename, option_of(table)) or ()

    def read(
        self,
        table: str,
        schema: Sequence[Column],
        rename: Mapping[str, str] | None = None,
        others: Type | None = None,
    ) -> Read | None:
        """Reads a table whole, see `parted`."""
        found = self.parted(table, schema, rename, others)
        return None if found is None else found.whole()

    def parted(
        self,
        table: str,
        schema: Sequence[Column],
        rename: Mapping[str, str] | None = None,
        others: Type | None = None,
    ) -> Parted | None:
        """Reads a table; columns that neither schema nor user names are inferred.

        Args:
          table: its name in `files.given`.
          schema: the columns that recjax knows.
          rename: the file's name -> recjax's; None: as the user says.
          others: type of other columns whose values look like texts.

        Returns:
          The table; None if it cannot be used, and then `findings` says why.
        """
        options, source = self.how.options, self.source(table)
        rename = self.how.names(table, self.files) if rename is None else rename
        file, findings = option_of(table), self.findings
        names = header(source, options, findings, rename, file)
        if names is None:
            return None
        said = self.how.types(table, self.files)
        options = replace(options, skipped=_skipped(said, rename))
        every: Sequence[str] = names
        if not said.keys() <= {*names}:  # It may be in a later part.
            every = header(source, options, Findings(), rename, file, None) or names
        told = {column.name: column for column in schema}
        for name, type in said.items():
            one = told.get(name, Column(name, "text", True, False))
            # What recjax needs itself is told when it is looked for.
            needed = name in told and one.required and type != SKIP
            if name not in every and not needed:
                self._tell_unknown(table, f"{name}={type}", every, rename)
            elif type == SKIP and name in told and one.required:
                fix = f"take --column {name}={SKIP} out"
                findings.of_file(file, "a column that is needed", fix, repr(name))
            elif type == SKIP:
                told.pop(name, None)
            else:
                told[name] = replace(one, type=cast(Type, type))
        unnamed = [n for n in names if n not in told and said.get(n) != SKIP]
        known, args = tuple(told.values()), (options, rename, file)
        guess, sure, odd = self._guess(source, unnamed, others, SAMPLE, *args)
        got, own = self._read(source, known, guess, sure, *args)
        if not sure and not own.report().ok:
            # What the first rows say is not true of all, or a row is bad.
            again, _, odd = self._guess(source, unnamed, others, None, *args)
            if again != guess:
                guess = again
                got, own = self._read(source, known, guess, True, *args)
        findings.add(own)
        if got is not None and guess:
            self._tell(file, guess)
            for text in odd:
                findings.note(file, text)
        return got

    def _guess(
        self,
        source: Any,
        names: Sequence[str],
        others: Type | None,
        most: int | None,
        options: Options,
        rename: Mapping[str, str],
        file: str,
    ) -> tuple[dict[str, Type | None], bool, list[str]]:
        """Returns types of columns, whether all rows have been seen, and odd values."""
        if not names:
            return {}, True, []
        # The reading will tell what is wrong with the file.
        found = infer(source, options, Findings(), rename, file, names, most) or ()
        if most is not None and any(c.missing == c.rows >= most for c in found):
            return self._guess(source, names, others, None, options, rename, file)
        types: dict[str, Type | None] = dict.fromkeys(names)
        odd = []
        for column in found:
            text = others is not None and column.type in TEXT_LIKE
            types[column.name] = others if text else column.type
            some = most is not None and column.rows >= most
            first = f"of the first {column.rows:,} rows " * some
            odd += [
                f"{column.name} is {types[column.name]}, for {first}{strays}; correct "
                f"them, or pass --column {file}:{column.name}={strays.type}, and "
                "--on-bad-row empty to take them as missing"
                for strays in column.strays
            ]
        return types, most is None or all(c.rows < most for c in found), odd

    def _read(
        self,
        source: Any,
        known: Sequence[Column],
        guess: Mapping[str, Type | None],
        sure: bool,
        options: Options,
        rename: Mapping[str, str],
        file: str,
    ) -> tuple[Parted | None, Findings]:
        more = [
            Column(name, type, False, False, guessed=not sure)
            for name, type in guess.items()
            if type is not None
        ]
        own, schema = Findings(), (*known, *more)
        found = Source.of(source, own, file)
        if found is None or self.parts is None or len(found.parts) == 1:
            one = read(found or source, schema, options, own, rename, file)
            return None if one is None else Parted(one), own
        return read_parts(found, schema, options, own, rename, file, self.parts), own

    def _tell_unknown(
        self, table: str, said: str, names: Sequence[str], rename: Mapping[str, str]
    ) -> None:
        (name, _, type), file = said.rpartition("="), option_of(table)
        of = f"{file}:" if len(self.files.given) > 1 else ""
        value, fix = f"{name!r}{nearest(name, names)}", "correct "
        if rename.get(name) in names:
            value, fix = f"{name!r} is renamed to {rename[name]!r}", "take that: "
            name = rename[name]
        fix += f"--column {of}{name}={type}"
        self.findings.of_file(file, "no such column", fix, value)

    def _tell(self, file: str, guessed: Mapping[str, Type | None]) -> None:
        """Notes what columns are taken for that nobody named."""
        taken = [f"{name} as {type}" for name, type in guessed.items() if type]
        if taken:
            say = f"--column {file}:{taken[0].split(' as ')[0]}=TYPE"
            end = f"for another type pass {say}, to leave it out TYPE = {SKIP}"
            self.findings.note(file, f"takes {', '.join(taken)}; {end}")
        unread = [name for name, type in guessed.items() if type is None]
        if unread:
            self.findings.note(
                file, f"leaves out {', '.join(unread)}: nothing that recjax reads"
            )


def _skipped(said: Mapping[str, str], rename: Mapping[str, str]) -> frozenset[str]:
    """Returns the file's names of the columns that the user leaves out."""
    out = {name for name, type in said.items() if type == SKIP}
    theirs = {name for name, ours in rename.items() if ours in out}
    return frozenset(theirs | out - {*rename.values()})


def read_entity(reading: Reading, name: str) -> Table | None:
    """Returns a table of entities, of each id the first; None if it cannot be used."""
    rename = reading.how.names(name, reading.files)
    rename = with_id(reading.header(name), name, rename)
    schema = (Column("id", "id"), *OF_ENTITIES)
    found = reading.read(name, schema, rename)
    if found is None:
        return None
    findings, table = reading.findings, found.table
    good = ~given_twice(found, ["id"], f"{name} given twice", findings)
    for column in [c for c in table.columns.values() if c.type == "image"]:
        # Without its photograph, the rest of a row is as good as before.
        images, read = load(found, column.name, findings, optional=True)
        if bad := np.count_nonzero(~read):
            text = f"{bad} rows stay without their photograph, which is bad"
            findings.note(option_of(name), f"{text}, if bad rows are left out")
        table = replace(table, columns={**table.columns, column.name: images})
    return by_id(table if good.all() else table.take(good))


def by_id(table: Table) -> Table:
    """Returns a table whose `id` has the labels of its rows alone, in their order."""
    rest = [column for name, column in table.columns.items() if name != "id"]
    return make.entity(labels_of(table["id"]), *rest)


def places(
    found: Read, name: str, known: Texts, what: str, findings: Findings, own: Any = None
) -> np.ndarray:
    """Returns the row of each id of a column among `known`, -1 where it has none.

    Ids that are unknown are problems.

    Args:
      found: the table.
      name: column of type id.
      known: ids of the entity's rows.
      what: the entity, such as "item".
      findings: where problems go.
      own: bool[n], the rows that are asked for; None for all.
    """
    column = found.table[name]
    at = make.index_of(make.series(column.vocabulary), make.series(known))[column.array]
    lost = np.flatnonzero(at < 0 if own is None else (at < 0) & own)
    if len(lost):
        shown = column.vocabulary.take(column.array[lost])
        fix = f"give the {what} a (valid) row in the table of {option_of(what)}, or "
        fix += "delete this row"
        found.tell(findings, name, f"unknown {what}", lost, shown, fix)
    return at
