"""A bundle's vectors and the columns of its items, written into an engine."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from recjax.bundle import engine, fusion, item_columns
from recjax.bundle.items import open_items
from recjax.errors import UserError
from recjax.index.engine import (
    EXACT_BELOW,
    Columns,
    Engine,
    Layout,
    Pushed,
    partitions,
)
from recjax.index.engines import absolute, open_engine
from recjax.index.exact import Exact
from recjax.index.filters import Kind
from recjax.index.item_vectors import ItemVectors
from recjax.tables.columns import Column
from recjax.tables.infer import infer
from recjax.tables.read import read
from recjax.tables.report import Findings
from recjax.tables.result import Options
from recjax.tables.typed import MISSING_TIME, TypedColumn

if TYPE_CHECKING:  # Polars is for those who read or write it.
    import polars as pl

log = logging.getLogger(__name__)
BATCH, COMPARED, ASKED, K, TARGET = 4_096, 1_000, 100, 10, 0.99
NAME = re.compile(r"[A-Za-z_]\w*")
OWN = ("row", "id", "vector", "title")
KINDS: Mapping[str, Kind] = {
    **{"number": "number", "timestamp": "number"},
    **{"id": "text", "category": "text", "text": "text"},
}
"""Type of a table's column -> kind of the engine's; others are left out."""


def push(
    bundle: Path,
    to: str,
    items: str = "",
    options: Options | None = None,
    name: str = "",
) -> str:
    """Writes a bundle into an engine, compares it, and returns what to print.

    A push that was stopped goes on: what is there already is counted.

    Args:
      bundle: folder that `recjax export` wrote.
      to: the engine, see `open_engine`.
      items: table (item or id, and any columns) to filter by; by default the columns
        that the bundle has.
      options: how it is read.
      name: begins that of the collection; by default the bundle's folder's.

    Raises:
      UserError: something cannot be read, what was written is not there, or a fusion
        finds the bundle's items.
    """
    if fusion.names(Path(bundle)):
        raise UserError(
            f"{bundle} finds items by a fusion, which scores all of them itself, and "
            "would ask no engine: export it with --set export.fusion=None"
        )
    vectors, to = open_items(bundle), absolute(to)
    columns: dict[str, Sequence[Any]] = {"title": vectors.titles}
    kinds: dict[str, Kind] = {"title": "text"}
    if items:
        kinds |= _add(columns, items, options or Options(), vectors)
    elif (Path(bundle) / item_columns.FILE).is_file():
        kinds |= _add_known(columns, item_columns.load(Path(bundle)))
    name = name or re.sub(r"\W", "_", Path(bundle).resolve().name)
    # What is pushed anew stands beside what is asked until then.
    name = f"{name}_{_digest(vectors, kinds, columns)[:12]}"
    layout = Layout(name, vectors.vectors.shape[1], kinds)
    opened, size = open_engine(to, layout), len(vectors.ids)
    if not opened.exists():
        opened.create(size)
    start = opened.count() // BATCH * BATCH
    _write(opened, vectors, {"id": vectors.ids, **columns}, start)
    opened.finish(size)
    _compare(opened, vectors, to)
    effort, recall = _effort(opened, layout, vectors)
    engine.save(Path(bundle), engine.Place(to, layout, effort, vectors.digest))
    kept = f" ({start:,} were there)" if start else ""
    return (
        f"pushed: {size:,} items{kept} with {', '.join(kinds)} to {to} as {name!r}\n"
        f"recall@{K} against exact search, {min(ASKED, size)} items' vectors: "
        f"{recall:.4f}\n{bundle} finds its items there from now on: {engine.NAME}"
    )


def _write(opened: Engine, vectors: ItemVectors, columns: Columns, start: int) -> None:
    size = len(vectors.ids)
    bar = tqdm(total=size, initial=start, unit="item", unit_scale=True)
    with bar:
        for begin in range(start, size, BATCH):
            rows = np.arange(begin, min(begin + BATCH, size))
            part = {
                name: list(values[begin : begin + BATCH])
                for name, values in columns.items()
            }
            opened.write(rows, np.asarray(vectors.vectors[rows], np.float32), part)
            bar.update(len(rows))


def _compare(opened: Engine, vectors: ItemVectors, to: str) -> None:
    """Compares what is there with what was written.

    Raises:
      UserError: it is not the same.
    """
    size, count = len(vectors.ids), opened.count()
    rows = np.unique(np.linspace(0, size - 1, min(COMPARED, size)).astype(int))
    found = opened.read(rows.tolist())
    expected = np.asarray(vectors.vectors[rows], np.float32)
    wrong = [
        int(row)
        for row, vector in zip(rows, expected, strict=True)
        if row not in found
        or found[row][0] != vectors.ids[row]
        or not np.array_equal(found[row][1], vector)
    ]
    if count != size or wrong:
        first = f", row {wrong[0]} among them" if wrong else ""
        raise UserError(
            f"{to} holds {count:,} rows of {size:,}, and {len(wrong)} of {len(rows)} "
            f"compared differ{first}: delete the collection and push again"
        )


def _effort(opened: Engine, layout: Layout, vectors: ItemVectors) -> tuple[int, float]:
    """Returns the fewest partitions that reach the target, and the recall."""
    size = len(vectors.ids)
    rows = np.random.default_rng(0).choice(size, min(ASKED, size), replace=False)
    queries = np.asarray(vectors.vectors[rows], np.float32)
    lowest = Exact(vectors.vectors).search(queries, K)[1][:, -1:]
    lowest = lowest - 1e-5 * np.maximum(np.abs(lowest), 1)
    effort, most = 8, 1 if size < EXACT_BELOW else partitions(size)
    while True:
        effort = min(effort, most)
        found = Pushed(opened, layout, effort, size).search(queries, K)[1]
        recall = float((found >= lowest).mean())
        if recall >= TARGET or effort >= most:
            return effort, recall
        effort *= 2


def _add(
    columns: dict[str, Sequence[Any]],
    source: str,
    options: Options,
    vectors: ItemVectors,
) -> dict[str, Kind]:
    """Reads columns of the items in their order; returns their kinds."""
    findings = Findings()
    found = infer(source, options, findings, options.rename)
    types = {one.name: one.type for one in found or ()}
    key = "item" if "item" in types else "id"
    kept = {n: t for n, t in types.items() if t in KINDS and n not in (key, *OWN)}
    schema = [Column(key, "id"), *(Column(n, t, filled=False) for n, t in kept.items())]
    table = read(source, schema, options, findings) if found else None
    if not (report := findings.report()).ok or table is None:
        raise UserError(str(report))
    if bad := [name for name in kept if not NAME.fullmatch(name)]:
        raise UserError(
            f"{source}: column {bad[0]!r}: engines want names of letters, digits "
            "and _; see --rename"
        )
    ids = table.table[key]
    names = list(ids.vocabulary)
    at = {names[code]: row for row, code in enumerate(ids.array.tolist())}
    rows = [at.get(id, -1) for id in vectors.ids]
    if max(rows, default=-1) < 0:
        raise UserError(f"{source}, column {key}: none of the bundle's items is there")
    for name in kept:
        values = _values(table.table[name])
        columns[name] = [None if row < 0 else values[row] for row in rows]
    return {name: KINDS[str(type)] for name, type in kept.items()}


def _add_known(
    columns: dict[str, Sequence[Any]], known: pl.DataFrame
) -> dict[str, Kind]:
    """Adds the columns that a bundle has of its items; returns their kinds."""
    import polars as pl

    kinds: dict[str, Kind] = {}
    for name, type in known.schema.items():
        if name in OWN:
            continue
        if isinstance(type, pl.List) or not NAME.fullmatch(name):
            log.warning(
                "column %r is not pushed: an engine takes columns of one value, whose "
                "names are of letters, digits and _",
                name,
            )
            continue
        column = known[name]
        if type == pl.String:
            columns[name] = [text or None for text in column]
        elif type == pl.Datetime:
            columns[name] = item_columns.seconds(column).to_list()
        else:
            columns[name] = column.cast(pl.Float64).to_list()
        kinds[name] = "text" if type == pl.String else "number"
    return kinds


def _values(column: TypedColumn) -> list[Any]:
    if column.type == "text":
        return [text or None for text in column.texts]
    array = column.array
    if column.type == "number":
        return [None if np.isnan(value) else float(value) for value in array]
    if column.type == "timestamp":
        return [None if time == MISSING_TIME else time / 1e9 for time in array.tolist()]
    labels = list(column.vocabulary)
    return [(labels[code] or None) if code >= 0 else None for code in array.tolist()]


def _digest(vectors: ItemVectors, kinds: Mapping[str, Kind], columns: Columns) -> str:
    found = hashlib.sha256(vectors.digest.encode())
    for name, values in columns.items():
        found.update(json.dumps([name, kinds[name], list(values)]).encode())
    return found.hexdigest()
