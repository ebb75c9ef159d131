"""Writing an invented catalogue as the Parquet files that a user would bring."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from recjax.prepare.synthetic.catalog import Chunk, chunk
from recjax.prepare.synthetic.cell import CELL
from recjax.prepare.synthetic.world import CatalogSettings, World, make_world

ROWS = 8 * CELL


def write_catalog(
    settings: CatalogSettings, folder: Path, *, logs: bool = False, workers: int = 1
) -> dict[str, int]:
    """Writes the tables and returns the rows of each.

    Args:
      settings: what to make.
      folder: where to.
      logs: whether to write the raw logs too.
      workers: processes; the files do not depend on it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, int] = {}
    with contextlib.ExitStack() as stack:
        writers: dict[str, pq.ParquetWriter] = {}

        def put(name: str, table: pa.Table) -> None:
            if name not in writers:
                writer = pq.ParquetWriter(folder / f"{name}.parquet", table.schema)
                writers[name] = stack.enter_context(writer)
            writers[name].write_table(table)
            rows[name] = rows.get(name, 0) + table.num_rows

        for kind, part in _chunks(settings, workers):
            put(f"{kind}s", part.entities)
            put("pairs", _table(part.pairs))
            if logs:
                put("saves", _table(part.saves))
                put("events", _table(part.events))
    return rows


def _chunks(settings: CatalogSettings, workers: int) -> Iterator[tuple[str, Chunk]]:
    parts = [
        (kind, start, min(start + ROWS, count))
        for kind, count in (("pin", settings.pins), ("product", settings.products))
        for start in range(0, count, ROWS)
    ]
    make = partial(_make, settings)
    if workers == 1:
        made = map(make, parts)
        yield from zip((kind for kind, *_ in parts), made, strict=True)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
        # A few at a time: what is made waits in memory until it is written.
        for i in range(0, len(parts), 2 * workers):
            now = parts[i : i + 2 * workers]
            for part, made in zip(now, pool.map(make, now), strict=True):
                yield part[0], made


def _make(settings: CatalogSettings, part: tuple[str, int, int]) -> Chunk:
    return chunk(_world(settings), *part)


@cache
def _world(settings: CatalogSettings) -> World:
    return make_world(settings)


def _table(frame: pl.DataFrame) -> pa.Table:
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())
