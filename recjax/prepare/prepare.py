"""Preparing a data set: raw or own files -> checked -> a folder of array_record.

A prepared data set is a folder in TFDS's layout (`CONFIG/VERSION/`) with a description,
`prepared.json`. It appears at once and whole: it is built beside its place and renamed.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

from recjax.data import interactions, search_pairs
from recjax.data.prepared import place
from recjax.errors import UserError, nearest
from recjax.paths import prepared_root
from recjax.prepare import validate
from recjax.prepare.datasets.base import Builder
from recjax.prepare.datasets.catalog import OwnCatalog, from_checked
from recjax.prepare.datasets.globo import Globo
from recjax.prepare.datasets.grocery_store import GroceryStore
from recjax.prepare.datasets.home_depot import HomeDepot
from recjax.prepare.datasets.movielens_100k import MovieLens100K
from recjax.prepare.datasets.own import OwnInteractions, OwnSearch
from recjax.prepare.datasets.tmall import Tmall
from recjax.prepare.validate_catalog import validate_catalog
from recjax.prepare.write import is_prepared, write
from recjax.tables.old.convert import Unit
from recjax.tables.report import accept

log = logging.getLogger(__name__)
OnBadRow = Literal["error", "skip"]
BUILT_IN: Mapping[str, type[Builder]] = {
    cls.name: cls for cls in (Globo, GroceryStore, HomeDepot, MovieLens100K, Tmall)
}
INVENTED = {"invented_catalog": 10_000, "invented_catalog_tiny": 600}
"""Name -> pins of an invented catalogue; half as many products."""
SKIPPED = "skipped_rows.csv"


def prepare(name: str, *, out: str | Path | None = None) -> Path:
    """Prepares a built-in data set, or returns at once if it is prepared.

    Args:
      name: of a built-in data set, for example "movielens_100k".
      out: where to; default: under the cache by its name.

    Returns:
      The folder of the prepared data set.

    Raises:
      UserError: no such data set, its raw files cannot be had, or `out` not written.
    """
    known = (*BUILT_IN, *INVENTED)
    if name in INVENTED:
        # Here, for inventing needs JAX's random keys, and preparing does not.
        from recjax.prepare.invented import prepare_invented, sized

        return prepare_invented(sized(INVENTED[name]), name if out is None else out)
    if name not in BUILT_IN:
        raise UserError(
            f"There is no built-in data set {name!r}; there are "
            f"{', '.join(known)}.{nearest(name, known)} For your own files use "
            "`recjax data prepare interactions FILE` or `... search FILE`."
        )
    builder = BUILT_IN[name]
    path = place(name if out is None else out)
    source = {"name": name, "version": str(builder.VERSION)}
    if is_prepared(path, source):
        return path
    log.info("Preparing %s in %s", name, path)
    return write(builder, path, kind=builder.KIND, source=source)


def prepare_interactions(
    events: str | Path,
    *,
    out: str | Path,
    items: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    unit: Unit = "s",
    encoding: str = "utf-8",
    on_bad_row: OnBadRow = "error",
    max_bad_share: float = 0.01,
) -> Path:
    """Checks and prepares your own interactions.

    Returns at once if `out` holds the same files prepared with the same options; other
    contents of an earlier preparation are replaced.

    Args:
      events: CSV, TSV or Parquet file with columns user, item, timestamp[, rating].
      out: name or path of the data set; see `place`.
      items: the same with columns item, title[, tags].
      columns: recjax's column name -> the file's, where they differ.
      unit: of numeric timestamps: "s" or "ms".
      encoding: of CSV files.
      on_bad_row: "error" stops at any problem; "skip" leaves bad rows out, counts them
        and lists the first 1,000 of each kind in skipped_rows.csv.
      max_bad_share: the largest share of rows that "skip" leaves out.

    Returns:
      The folder of the prepared data set.

    Raises:
      UserError: a file, an argument or `out` is bad; with the whole report.
    """
    options = {"columns": dict(columns or {}), "unit": unit, "encoding": encoding}
    check = partial(validate.validate_interactions, events, items=items, **options)
    return prepare_own(
        "interactions",
        check,
        lambda c: partial(
            OwnInteractions, data=interactions.from_frames(c.main, c.corpus)
        ),
        {"events": events, "items": items},
        options,
        out=out,
        on_bad_row=on_bad_row,
        max_bad_share=max_bad_share,
    )


def prepare_search(
    pairs: str | Path,
    *,
    out: str | Path,
    products: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    encoding: str = "utf-8",
    on_bad_row: OnBadRow = "error",
    max_bad_share: float = 0.01,
) -> Path:
    """Checks and prepares your own search pairs; as `prepare_interactions`.

    Args:
      pairs: CSV, TSV or Parquet file with columns query, product, relevance, and title
        unless `products` is given.
      out: name or path of the data set; see `place`.
      products: the same with columns product, title: the whole corpus.
      columns: recjax's column name -> the file's, where they differ.
      encoding: of CSV files.
      on_bad_row: "error" or "skip".
      max_bad_share: the largest share of rows that "skip" leaves out.

    Returns:
      The folder of the prepared data set.

    Raises:
      UserError: a file, an argument or `out` is bad; with the whole report.
    """
    options = {"columns": dict(columns or {}), "encoding": encoding}
    check = partial(validate.validate_search, pairs, products=products, **options)
    return prepare_own(
        "search",
        check,
        lambda c: partial(OwnSearch, data=search_pairs.from_frames(c.main, c.corpus)),
        {"pairs": pairs, "products": products},
        options,
        out=out,
        on_bad_row=on_bad_row,
        max_bad_share=max_bad_share,
    )


def prepare_catalog(
    pairs: str | Path,
    *,
    out: str | Path,
    pins: str | Path | None = None,
    products: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    unit: Unit = "s",
    encoding: str = "utf-8",
    on_bad_row: OnBadRow = "error",
    max_bad_share: float = 0.01,
) -> Path:
    """Checks and prepares your own catalogue; as `prepare_interactions`.

    Args:
      pairs: CSV, TSV or Parquet file with columns query, candidate_id,
        candidate_type (pin, product or query), action[, timestamp].
      out: name or path of the data set; see `place`.
      pins: Parquet file with columns id and any fields and features of
        `catalog_schema`.
      products: the same.
      columns: recjax's column name -> the file's, where they differ.
      unit: of numeric timestamps: "s" or "ms".
      encoding: of CSV files.
      on_bad_row: "error" or "skip".
      max_bad_share: the largest share of rows that "skip" leaves out.

    Returns:
      The folder of the prepared data set.

    Raises:
      UserError: a file, an argument or `out` is bad; with the whole report.
    """
    files = {"pairs": pairs, "pins": pins, "products": products}
    options = {"columns": dict(columns or {}), "unit": unit, "encoding": encoding}
    return prepare_own(
        "catalog",
        partial(validate_catalog, **files, **options),
        lambda c: partial(OwnCatalog, data=from_checked(c)),
        files,
        options,
        out=out,
        on_bad_row=on_bad_row,
        max_bad_share=max_bad_share,
    )


def prepare_own(
    kind: str,
    check: Callable[[], Any],
    builder: Callable[[Any], Callable[..., Builder]],
    files: Mapping[str, str | Path | None],
    options: Mapping[str, Any],
    *,
    out: str | Path,
    on_bad_row: str,
    max_bad_share: float,
) -> Path:
    """Checks files and writes the data set, unless it is there already.

    Args:
      kind: of the data set.
      check: checks the files.
      builder: what was checked -> builder of the data set.
      files: argument -> file; their contents decide whether anything is to do.
      options: all else that decides what is written.
      out: name or path of the data set.
      on_bad_row: "error" or "skip".
      max_bad_share: the largest share of rows that "skip" leaves out.

    Raises:
      UserError: a file, an argument or `out` is bad; with the whole report.
    """
    path = place(out)
    if path.parent == prepared_root() and path.name in (*BUILT_IN, *INVENTED):
        raise UserError(f"--out {path.name}: a built-in data set; take another name.")
    if on_bad_row not in ("error", "skip"):
        raise UserError(f"--on-bad-row {on_bad_row!r}: must be 'error' or 'skip'.")
    if not 0 <= max_bad_share <= 1:
        raise UserError(f"--max-bad-share {max_bad_share}: must be between 0 and 1.")
    policy = {"on_bad_row": on_bad_row, "max_bad_share": max_bad_share}
    files = {name: _sha256(f) for name, f in files.items() if f is not None}
    source = {"files": files, **options, **policy}
    if None not in files.values() and is_prepared(path, source):
        return path
    checked = check()
    report = checked.report
    accept(report, **policy)
    if checked.empty:
        raise UserError(f"{report}\n\nNothing was prepared: no good rows are left.")
    if report.ok:
        return write(builder(checked), path, kind=kind, source=source)
    log.warning(
        "Left out %d of %d rows (%.3f%%); they are listed in %s.\n%s",
        report.bad_rows,
        sum(report.rows.values()),
        100 * report.bad_share,
        path / SKIPPED,
        report,
    )
    extra = {SKIPPED: report.write_csv}
    return write(builder(checked), path, kind=kind, source=source, extra=extra)


def _sha256(path: str | Path) -> str | None:
    """Returns the file's hash, or None if it cannot be read (the check will say so)."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
