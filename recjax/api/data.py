"""Preparing data from Python: files or frames -> a data set that is told."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import polars as pl

from recjax import jobs
from recjax.api import arguments
from recjax.api.logs import told
from recjax.data.prepared import ABOUT, Prepared, place
from recjax.errors import UserError
from recjax.prepare.built_in import prepare_built_in
from recjax.prepare.options import Files, How
from recjax.prepare.prepare import prepare as prepare_files

log = logging.getLogger(__name__)
Table = Any
"""A path, a list of paths, or a frame of polars or pandas."""


def prepare(
    name: str = "",
    *,
    events: Table = None,
    items: Table = None,
    users: Table = None,
    judgements: Table = None,
    queries: Table = None,
    images: Table = None,
    entities: Mapping[str, Table] | None = None,
    out: str | Path | None = None,
    column: Mapping[str, str] | Sequence[str] = (),
    rename: Mapping[str, str] | Sequence[str] = (),
    unit: Literal["s", "ms", "us", "ns"] | None = None,
    encoding: str = "utf-8",
    gap: int | None = None,
    longest: int | None = None,
    item_events: int = 1,
    user_events: int = 1,
    most_user_events: int | None = None,
    extend: bool = False,
    on_bad_row: Literal["error", "skip", "empty"] = "error",
    max_bad_share: float = 0.01,
    now: float | None = None,
    workers: int = 1,
) -> Prepared:
    """Prepares data, or returns at once if the same is prepared.

    Args:
      name: of a built-in data set, such as "movielens_100k"; then no tables.
      events: user, item, timestamp[, session, action, rating, ...].
      items: id (or item) and any columns.
      users: id (or user) and any columns.
      judgements: query, candidate, grade or action[, candidate_type, ...].
      queries: id (or query) and any columns.
      images: a folder of class folders, or a table of paths and classes.
      entities: name -> a table of things of one kind.
      out: name or folder of the data set; None: a folder in the cache that is called
        after the content.
      column: "[FILE:]NAME" -> type it is read as, or "skip".
      rename: "[FILE:]theirs" -> ours.
      unit: of timestamps that are numbers; None decides by the values.
      encoding: of CSV and JSON lines.
      gap: idle seconds that end a session.
      longest: events after which a session goes on as another.
      item_events: fewest events of an item that stays.
      user_events: fewest events of a user that stays.
      most_user_events: most events of a user that stays.
      extend: keep the rows of ids that `out` has, and append new ones.
      on_bad_row: "error" stops at any problem; "skip" leaves bad rows out; "empty"
        takes a value that cannot be read as missing, where one may be missing.
      max_bad_share: the largest share of rows with problems that these two go on with.
      now: unix seconds; times a day later are problems. None: the clock.
      workers: processes that read the parts of a table.

    Raises:
      UserError: a table or an option is wrong; with every problem of the tables.

    Example:
      >>> import recjax as rj
      >>> shop = rj.prepare(**rj.testing.interactions())  # doctest: +SKIP
    """
    options = dict(locals())
    given = {one: options.pop(one) for one in (*TABLES, "entities", "name", "out")}
    with told(), arguments.in_python():
        workers = arguments.whole("workers", options.pop("workers"))
        how = _how(options)
        if not isinstance(name, str):
            raise UserError(
                f"the first argument names a built-in data set: give a "
                f"{type(name).__name__} as events=, items= or judgements="
            )
        files = {
            one: arguments.table(one, given[one])
            for one in TABLES
            if given[one] is not None
        }
        if name:
            if files or entities or how != How():
                raise UserError(f"{name!r} is built in: it takes no option but out")
            return Prepared.open(prepare_built_in(name, out=out))
        made = Files(**files, entities=_entities(entities))
        if out is None:
            out = _content(made, how)
            log.info("data set: %s", place(out))
            if (place(out) / ABOUT).is_file():
                return Prepared.open(out)
        each = jobs.processes(workers) if workers > 1 else None
        return Prepared.open(prepare_files(made, out, how, each))


TABLES = ("events", "items", "users", "judgements", "queries", "images")


def _how(options: dict[str, Any]) -> How:
    for name in ("column", "rename"):
        options[name] = arguments.pairs(name, options[name])
    for name in ("gap", "longest", "most_user_events", "item_events", "user_events"):
        if options[name] is not None:
            arguments.whole(name, options[name])
    if options["unit"] not in (None, "s", "ms", "us", "ns"):
        raise UserError(f"unit={options['unit']!r}: must be 's', 'ms', 'us' or 'ns'")
    share = options["max_bad_share"]
    if isinstance(share, bool) or not isinstance(share, int | float):
        raise UserError(f"max_bad_share={share!r}: expected a number from 0 to 1")
    return How(**options)


def _entities(given: Mapping[str, Table] | None) -> dict[str, Table]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise UserError(
            f"entities: expected a mapping of names to tables, as "
            f'entities={{"product": "products.csv"}}, not a {type(given).__name__}'
        )
    return {n: arguments.table(f"entities[{n!r}]", one) for n, one in given.items()}


def _content(files: Files, how: How) -> str:
    """Returns the name of a data set that is called after its content."""
    found = hashlib.sha256(repr(sorted(asdict(how).items(), key=str)).encode())
    for name, given in files.given.items():
        found.update(name.encode())
        if isinstance(given, pl.DataFrame):
            found.update(repr(given.schema).encode())
            found.update(given.hash_rows().to_numpy().tobytes())
            continue
        for one in given if isinstance(given, list) else [given]:
            found.update(_stamp(Path(one)))
    first = next(iter(files.given))
    return f"{first}-{found.hexdigest()[:10]}"


def _stamp(path: Path) -> bytes:
    """Returns what tells a file, or the files of a folder, from others."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    inner = sorted(one for one in path.rglob("*") if one.is_file())
    told = [(str(one), one.stat().st_size, one.stat().st_mtime_ns) for one in inner]
    return repr(told or str(path)).encode()
