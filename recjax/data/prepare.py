"""Preparing a data set: raw or own files -> checked -> a folder of array_record.

A prepared data set is a folder in TFDS's layout (`CONFIG/VERSION/`) with a description,
`prepared.json`. It appears at once and whole: it is built beside its place and renamed.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from recjax.data import interactions, search_pairs, validate
from recjax.data.catalog.validate import validate_catalog
from recjax.data.convert import Unit
from recjax.data.datasets.base import Builder
from recjax.data.datasets.catalog import OwnCatalog, from_checked
from recjax.data.datasets.globo import Globo
from recjax.data.datasets.grocery_store import GroceryStore
from recjax.data.datasets.home_depot import HomeDepot
from recjax.data.datasets.movielens_100k import MovieLens100K
from recjax.data.datasets.own import OwnInteractions, OwnSearch
from recjax.data.datasets.tmall import Tmall
from recjax.data.paths import prepared_root
from recjax.data.prepared import place
from recjax.data.records import ABOUT, about
from recjax.data.report import accept
from recjax.data.write import write
from recjax.errors import UserError, nearest

if TYPE_CHECKING:
    from recjax.data.synthetic.world import CatalogSettings

log = logging.getLogger(__name__)
OnBadRow = Literal["error", "skip"]
BUILT_IN: Mapping[str, type[Builder]] = {
    cls.name: cls for cls in (Globo, GroceryStore, HomeDepot, MovieLens100K, Tmall)
}
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
    if name not in BUILT_IN:
        raise UserError(
            f"There is no built-in data set {name!r}; there are "
            f"{', '.join(BUILT_IN)}.{nearest(name, BUILT_IN)} For your own files use "
            "`recjax data prepare interactions FILE` or `... search FILE`."
        )
    builder = BUILT_IN[name]
    path = place(name if out is None else out)
    source = {"name": name, "version": str(builder.VERSION)}
    if _is_prepared(path, source):
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


def prepare_invented(settings: CatalogSettings) -> Path:
    """Makes and prepares an invented catalogue, or returns at once if it is there.

    Its name under the cache says the size, and a hash all settings and the code.
    """
    # Here, for inventing needs JAX's random keys, and preparing does not.
    from recjax.data.synthetic import write

    code = hashlib.sha256(repr(settings).encode())
    for file in sorted(Path(write.__file__).parent.glob("*.py")):
        code.update(file.read_bytes())
    path = place(f"invented_{settings.pins}_pins_{code.hexdigest()[:8]}")
    if (path / ABOUT).is_file():
        return path
    log.info("Inventing a catalogue of %d pins in %s", settings.pins, path)
    with tempfile.TemporaryDirectory() as folder:
        rows = write.write_catalog(settings, Path(folder))
        files = {name: Path(folder, f"{name}.parquet") for name in rows}
        return prepare_catalog(**files, out=path)


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
    if path.parent == prepared_root() and path.name in BUILT_IN:
        raise UserError(f"--out {path.name}: a built-in data set; take another name.")
    if on_bad_row not in ("error", "skip"):
        raise UserError(f"--on-bad-row {on_bad_row!r}: must be 'error' or 'skip'.")
    if not 0 <= max_bad_share <= 1:
        raise UserError(f"--max-bad-share {max_bad_share}: must be between 0 and 1.")
    policy = {"on_bad_row": on_bad_row, "max_bad_share": max_bad_share}
    files = {name: _sha256(f) for name, f in files.items() if f is not None}
    source = {"files": files, **options, **policy}
    if None not in files.values() and _is_prepared(path, source):
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


def _is_prepared(path: Path, source: Mapping[str, Any]) -> bool:
    return (path / ABOUT).is_file() and about(path).get("source") == source


def _sha256(path: str | Path) -> str | None:
    """Returns the file's hash, or None if it cannot be read (the check will say so)."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
