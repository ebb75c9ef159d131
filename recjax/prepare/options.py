"""What a data set is made of, and how: the options of `prepare` and `check`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from recjax.errors import UserError, nearest

if TYPE_CHECKING:  # The command line shows these options without polars.
    from recjax.tables.result import Options

ENTITIES = {"items": "item", "users": "user", "queries": "query", "images": "image"}
"""Argument -> the entity that it is the table of."""
LOGS = ("events", "judgements")
SKIP = "skip"
"""In place of a type: the column is left out."""


@dataclass(frozen=True)
class Files:
    """The tables of a data set; each is what `tables.source.Source.of` takes.

    Attributes:
      events: user, item, timestamp[, session, action, rating, impressions] and others.
      items: id (or item) and any columns.
      users: id (or user) and any columns.
      judgements: query, candidate[, candidate_type], grade or action[, timestamp,
        split] and others.
      queries: id (or query) and any columns; `text` is what is asked.
      images: a folder of class folders, or a table of `image` (a path relative to the
        table) and classes.
      entities: name -> a table of id (or that name) and any columns.
    """

    events: Any = None
    items: Any = None
    users: Any = None
    judgements: Any = None
    queries: Any = None
    images: Any = None
    entities: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Checks the names.

        Raises:
          UserError: nothing is given, or an entity has a name that cannot be.
        """
        taken = {*LOGS, *ENTITIES.values(), "columns"}
        for name in self.entities:
            if not name.isidentifier() or name in taken:
                raise UserError(
                    f"--entity {name}=...: name a kind of thing in letters, such as "
                    f"product, and not {', '.join(sorted(taken))}"
                )
        if not self.given:
            raise UserError(
                "nothing to prepare: give --events FILE, --judgements FILE, --images "
                "FOLDER, or the name of a built-in data set"
            )

    @property
    def given(self) -> dict[str, Any]:
        """Table -> its source, entities first."""
        named = {name: getattr(self, option) for option, name in ENTITIES.items()}
        logs = {name: getattr(self, name) for name in LOGS}
        found = {**named, **self.entities, **logs}
        return {name: source for name, source in found.items() if source is not None}


@dataclass(frozen=True)
class How:
    """How tables become a data set.

    Attributes:
      column: "[FILE:]NAME=TYPE": what a column is read as, where FILE is an argument
        of `Files` or an entity; "skip" for TYPE leaves the column out.
      rename: "[FILE:]theirs=ours": a column of the file under recjax's name. With
        several files FILE must be said.
      unit: of timestamps that are numbers: s, ms, us or ns; None decides by the values.
      encoding: of CSV and JSON lines.
      gap: idle seconds that end a session; None: the file's sessions, or none at all.
      longest: events after which a session goes on as another.
      item_events: fewest events of an item that stays.
      user_events: fewest events of a user that stays.
      most_user_events: most events of a user that stays.
      extend: keep the rows of ids that the data set has, and append new ones.
      on_bad_row: "error" stops at any problem; "skip" leaves bad rows out, counts them
        and lists the first 1,000 of each kind in skipped_rows.csv; "empty" keeps rows
        without a value that cannot be read, counted and listed so in empty_values.csv,
        and stops where it may not be missing, as an id, an event's time or a grade.
      max_bad_share: the largest share of rows that "skip" leaves out, or that "empty"
        takes a value from.
      now: unix seconds; times a day later are problems. None: the clock.
    """

    column: tuple[str, ...] = ()
    rename: tuple[str, ...] = ()
    unit: Literal["s", "ms", "us", "ns"] | None = None
    encoding: str = "utf-8"
    gap: int | None = None
    longest: int | None = None
    item_events: int = 1
    user_events: int = 1
    most_user_events: int | None = None
    extend: bool = False
    on_bad_row: Literal["error", "skip", "empty"] = "error"
    max_bad_share: float = 0.01
    now: float | None = None

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
          UserError: a number is out of range, or an option not of its form.
        """
        for name in (
            "gap",
            "longest",
            "item_events",
            "user_events",
            "most_user_events",
        ):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"--{_flag(name)} {value}: must be at least 1")
        if self.on_bad_row not in ("error", "skip", "empty"):
            raise UserError(
                f"--on-bad-row {self.on_bad_row!r}: must be 'error', 'skip' or 'empty'."
            )
        if not 0 <= self.max_bad_share <= 1:
            raise UserError(
                f"--max-bad-share {self.max_bad_share}: must be between 0 and 1."
            )
        for option, given in (("column", self.column), ("rename", self.rename)):
            for one in given:
                _split(option, one)

    @property
    def options(self) -> Options:
        """How files are read."""
        from recjax.tables.result import Options

        # A row that is left out leaves events of an id that is unknown: in a report
        # they would hide what is wrong.
        empty = self.on_bad_row != "skip"
        options = Options(unit=self.unit, encoding=self.encoding, empty=empty)
        return options if self.now is None else replace(options, now=self.now)

    def types(self, table: str, files: Files) -> dict[str, str]:
        """Returns column -> type, or "skip", as said for a table.

        Raises:
          UserError: there is no such file or type, or a column is given twice.
        """
        from recjax.tables.columns import Type

        found = _of_table("column", self.column, table, files)
        for name, type in found.items():
            known = (*get_args(Type), SKIP)
            if type not in known:
                raise UserError(
                    f"--column {name}={type}: no such type; there are "
                    f"{', '.join(known)}.{nearest(type, known)}"
                )
        return found

    def names(self, table: str, files: Files) -> dict[str, str]:
        """Returns the file's name -> recjax's, as said for a table.

        Raises:
          UserError: there is no such file, or a column is given twice.
        """
        found = _of_table("rename", self.rename, table, files)
        ours = list(found.values())
        for theirs, name in found.items():
            if ours.count(name) > 1:
                raise UserError(f"--rename {theirs}={name}: {name!r} is named twice")
        return found


DEFAULTS = How()


def command(files: Files, how: How, out: str) -> str:
    """Returns the command that prepares a data set; frames are shown as FRAME."""
    words = ["recjax", "data", "prepare"]
    for option in (*ENTITIES, *LOGS):
        source = getattr(files, option)
        if source is not None:
            words += [f"--{option}", _shown(source)]
    for name, source in files.entities.items():
        words += ["--entity", f"{name}={_shown(source)}"]
    for one in fields(How):
        value = getattr(how, one.name)
        if value == one.default:
            continue
        flag = f"--{_flag(one.name)}"
        for each in value if isinstance(value, tuple) else (value,):
            words += [flag] if each is True else [flag, str(each)]
    return shlex.join([*words, "--out", out])


def option_of(table: str) -> str:
    """Returns the argument of `Files` that gives a table, or an entity's own name."""
    return next((option for option, name in ENTITIES.items() if name == table), table)


def _shown(source: Any) -> str:
    if hasattr(source, "columns"):
        return "FRAME"
    some = source if isinstance(source, list | tuple) else (source,)
    return ",".join(map(str, some))


def _of_table(
    option: str, given: tuple[str, ...], table: str, files: Files
) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in given:
        file, name, value = _split(option, one)
        known = files.given
        said = [option_of(name) for name in known]
        if file and ENTITIES.get(file, file) not in known:
            raise UserError(
                f"--{option} {one}: there is no file {file!r} here; there are "
                f"{', '.join(said)}.{nearest(file, said)}"
            )
        if not file and len(known) > 1:
            raise UserError(
                f"--{option} {one}: say of which file, for example "
                f"--{option} {said[0]}:{one}"
            )
        if file and ENTITIES.get(file, file) != table:
            continue
        if name in found:
            raise UserError(f"--{option} {one}: {name!r} is {found[name]!r} already")
        found[name] = value
    return found


def _split(option: str, given: str) -> tuple[str, str, str]:
    """Returns (FILE or "", name, value) of "[FILE:]name=value"."""
    name, equals, value = given.rpartition("=")
    if not (name and equals and value):
        form = "NAME=TYPE" if option == "column" else "theirs=ours"
        raise UserError(f"--{option} {given}: expected [FILE:]{form}")
    file, colon, rest = name.partition(":")
    known = (*ENTITIES, *ENTITIES.values(), *LOGS)
    if colon and (file.isidentifier() or file in known):
        return file, rest, value
    return "", name, value


def _flag(name: str) -> str:
    return name.replace("_", "-")
