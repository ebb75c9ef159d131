"""The `recjax data validate` commands."""

from __future__ import annotations

from pathlib import Path

import tyro

from recjax.cli.files import Flat, Form, TimedForm
from recjax.errors import UserError
from recjax.tables.report import Report

Positional = tyro.conf.Positional

app = tyro.extras.SubcommandApp()


@app.command(name="interactions")
def validate_interactions(
    events: Positional[Path],
    items: Path | None = None,
    *,
    form: Flat[TimedForm],
) -> None:
    """Reports every problem of a file of events, with row, column, value and fix.

    Args:
      events: file of events.
      items: file of items (item, title[, tags]).
      form: how the files are written.
    """
    from recjax.prepare.validate import validate_interactions

    checked = validate_interactions(
        events,
        items=items,
        columns=form.columns,
        unit=form.unit,
        encoding=form.encoding,
    )
    _conclude(checked.report)


@app.command(name="search")
def validate_search(
    pairs: Positional[Path],
    products: Path | None = None,
    *,
    form: Flat[Form],
) -> None:
    """Reports every problem of a file of judged pairs.

    Args:
      pairs: file of pairs.
      products: file of products (product, title).
      form: how the files are written.
    """
    from recjax.prepare.validate import validate_search

    checked = validate_search(
        pairs, products=products, columns=form.columns, encoding=form.encoding
    )
    _conclude(checked.report)


@app.command(name="catalog")
def validate_catalog(
    pairs: Path,
    pins: Path | None = None,
    products: Path | None = None,
    *,
    form: Flat[TimedForm],
) -> None:
    """Reports every problem of a catalogue's files.

    Args:
      pairs: file of pairs.
      pins: Parquet file of pins.
      products: Parquet file of products.
      form: how the files are written.
    """
    from recjax.prepare.validate_catalog import validate_catalog

    checked = validate_catalog(
        pairs,
        pins=pins,
        products=products,
        columns=form.columns,
        unit=form.unit,
        encoding=form.encoding,
    )
    _conclude(checked.report)


def _conclude(report: Report) -> None:
    if not report.ok:
        raise UserError(str(report))
    print(report)
