"""Options that all commands share which read a user's files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import tyro

from recjax.errors import UserError
from recjax.prepare.options import Files

if TYPE_CHECKING:  # Polars is for those who read a file.
    from recjax.tables.result import Options

T = TypeVar("T")
Flat = Annotated[T, tyro.conf.arg(name="")]
"""Options that stand among the command's own, without a prefix."""


@dataclass(frozen=True)
class Given:
    """The tables of a data set: CSV, TSV, JSON lines (maybe .gz) or Parquet.

    A folder or a quoted pattern of parts counts as a file.

    Attributes:
      events: user, item, timestamp[, session, action, rating, impressions] and others.
      items: item (or id) and any columns, such as title, price, category.
      users: user (or id) and any columns.
      judgements: query, candidate[, candidate_type], grade or action and others.
      queries: query (or id) and any columns; text is what is asked.
      images: folder (classes are folders, nested from coarse to fine, below train,
        validation and test if there are such), or table (image, one column a level of
        classes from coarse to fine[, split]).
      entity: NAME=FILE: a table of another kind of thing, its id and any columns.
    """

    events: str = ""
    items: str = ""
    users: str = ""
    judgements: str = ""
    queries: str = ""
    images: str = ""
    entity: tuple[str, ...] = ()

    def files(self) -> Files:
        """Returns the tables that are given.

        Raises:
          UserError: there is none, or an entity is not of the form NAME=FILE.
        """
        entities = {}
        for one in self.entity:
            name, equals, path = one.partition("=")
            if not (equals and path) or name in entities:
                raise UserError(f"--entity {one}: expected NAME=FILE, each name once")
            entities[name] = path
        given = {k: v for k, v in vars(self).items() if v and k != "entity"}
        return Files(**given, entities=entities)


@dataclass(frozen=True)
class Form:
    """How a file is written.

    Attributes:
      rename: where a name differs, yours=recjax's, as in --rename sku=item; repeatable.
      encoding: of CSV files.
    """

    rename: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    encoding: str = "utf-8"

    @property
    def names(self) -> dict[str, str]:
        """The file's column name -> recjax's.

        Raises:
          UserError: a `rename` is not of the form name=name, or names one twice.
        """
        found: dict[str, str] = {}
        for pair in self.rename:
            theirs, equals, ours = pair.rpartition("=")
            if not equals:
                raise UserError(f"--rename {pair}: expected your name=recjax's name")
            if theirs in found or ours in found.values():
                raise UserError(f"--rename {pair}: one of them is named already")
            found[theirs] = ours
        return found

    @property
    def options(self) -> Options:
        """How the file is read."""
        from recjax.tables.result import Options

        return Options(encoding=self.encoding, rename=self.names)


@dataclass(frozen=True)
class EventForm(Form):
    """How a file of events is written.

    Attributes:
      unit: of timestamps that are numbers; None decides by the values.
    """

    unit: Literal["s", "ms", "us", "ns"] | None = None

    @property
    def options(self) -> Options:
        """How the file is read."""
        from recjax.tables.result import Options

        return Options(self.unit, self.encoding, rename=self.names)


def refuse_unused(form: Form, option: str, given: object) -> None:
    """Raises UserError where it is said how a file is written, and none is given."""
    if not given and form != type(form)():
        raise UserError(f"--rename, --encoding and --unit say how {option} is written")
