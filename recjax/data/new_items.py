"""Reading a table of items that may never have been met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from recjax.errors import UserError
from recjax.tables.check import given_twice
from recjax.tables.columns import Column
from recjax.tables.image_files import load
from recjax.tables.read import header, read
from recjax.tables.report import Findings
from recjax.tables.result import Options, Read
from recjax.tables.typed import Table


def read_items(
    path: Path,
    entity: str,
    schema: Sequence[Column],
    options: Options,
) -> Table:
    """Reads a table of items; column `id` has their ids.

    Args:
      path: the file, or what else `Source.of` takes.
      entity: a column of this name may stand for `id`.
      schema: the other columns; what is not required may be absent.
      options: how it is read.

    Raises:
      UserError: the file cannot be used, or a row of it is bad; with all problems.
    """
    findings, columns = Findings(), [Column("id", "id"), *schema]
    table = None
    names = header(path, options, findings)
    rename = with_id(names, entity, options.rename)
    found = read(path, columns, options, findings, rename)
    if found is not None:
        given_twice(found, ["id"], f"{entity} given twice", findings)
        table = with_images(found, findings)
    report = findings.report()
    if table is None or not report.ok:
        raise UserError(str(report))
    return table


def with_images(found: Read, findings: Findings) -> Table:
    """Returns the table with images in place of their paths; bad ones are told."""
    columns = dict(found.table.columns)
    for column in found.table.columns.values():
        if column.type == "image":
            columns[column.name], _ = load(found, column.name, findings)
    return replace(found.table, columns=columns)


def with_id(
    header: Sequence[str] | None, entity: str, rename: Mapping[str, str]
) -> dict[str, str]:
    """Returns `rename`, with a column named after its entity as `id` if there is none.

    Args:
      header: the columns, renamed already.
      entity: such as "item".
      rename: the file's name -> recjax's.
    """
    names = header or ()
    theirs = {ours: theirs for theirs, ours in rename.items()}.get(entity, entity)
    if "id" in names or entity not in names:
        return dict(rename)
    return {**rename, theirs: "id"}
