"""The `recjax data` commands."""

from __future__ import annotations

from typing import Literal

import tyro

from recjax.cli.files import Flat, Given
from recjax.errors import UserError
from recjax.prepare.options import Files, How

Positional = tyro.conf.Positional
Appended = tyro.conf.UseAppendAction

app = tyro.extras.SubcommandApp()


@app.command
def describe(
    files: Positional[tuple[str, ...]],
    unit: Literal["s", "ms", "us", "ns"] | None = None,
    encoding: str = "utf-8",
) -> None:
    """Says what each column of files is taken for, what is in it, and what looks odd.

    Args:
      files: CSV, TSV, JSON lines (maybe .gz) or Parquet, or folders of parts.
      unit: of timestamps that are numbers; None decides by the values.
      encoding: of CSV and JSON lines.
    """
    from recjax.prepare.describe import described

    if not files:
        raise UserError("name one or more files to describe")
    print(described(files, How(unit=unit, encoding=encoding).options))


@app.command
def prepare(
    name: Positional[str] = "",
    out: str = "",
    workers: int = 1,
    beam: bool = False,
    *,
    given: Flat[Appended[Given]],
    how: Flat[Appended[How]],
) -> None:
    """Prepares a data set: a built-in one by its name, or your own tables.

    Built in are foursquare_nyc, globo, grocery_store, home_depot, invented_catalog,
    invented_catalog_tiny, movielens_100k, tmall and toys.

    Args:
      name: of a built-in data set.
      out: name of the data set, or a folder; a built-in one's is its own name.
      workers: processes that read the parts of a table, and sort events by partitions
        of users.
      beam: an Apache Beam pipeline does that; its options are those of
        `recjax.jobs.beam` in Python.
      given: the tables.
      how: how they become a data set.
    """
    if name:
        if (given, how) != (Given(), How()):
            raise UserError(f"{name} is built in: it takes no option but --out")
        from recjax.prepare.built_in import prepare_built_in

        done = prepare_built_in(name, out=out or None)
    else:
        files = given.files()
        if not out:
            raise UserError("say with --out what the data set is called")
        from recjax import jobs
        from recjax.prepare.prepare import prepare

        each = jobs.beam() if beam else jobs.processes(workers)
        done = prepare(files, out, how, each if beam or workers > 1 else None)
    print(f"prepared: {done}")


@app.command
def validate(*, given: Flat[Appended[Given]], how: Flat[Appended[How]]) -> None:
    """Reports every problem of tables with row, column, value and fix, and stops there.

    Args:
      given: the tables.
      how: how they would become a data set.
    """
    files: Files = given.files()
    from recjax.prepare.prepare import check

    report = check(files, how).report
    if not report.ok:
        raise UserError(str(report))
    print(report)
