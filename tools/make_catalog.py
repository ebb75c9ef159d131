"""Writes an invented catalogue of any size, to try recjax on, as Parquet files.

    python tools/make_catalog.py catalog --pins 100000 --logs
    recjax data prepare catalog --pairs catalog/pairs.parquet \
        --pins catalog/pins.parquet --products catalog/products.parquet --out catalog

With --logs it also writes saves.parquet and events.parquet, the raw logs from which
tools/build_board_titles.py and tools/build_engaged_queries.py make two of the fields.
Any field of `CatalogSettings` can be set: --set quality=0.3.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from recjax.data.synthetic.catalog import CELL, Chunk, chunk
from recjax.data.synthetic.world import CatalogSettings, World, make_world
from recjax.errors import nearest

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


def _with(settings: CatalogSettings, given: list[str]) -> CatalogSettings:
    fields = {f.name: f for f in dataclasses.fields(settings)}
    changes = {}
    for pair in given:
        name, _, value = pair.partition("=")
        if name not in fields:
            raise SystemExit(f"error: no setting {name!r}.{nearest(name, fields)}")
        kind = type(getattr(settings, name))
        try:
            changes[name] = kind(value)
        except ValueError:
            raise SystemExit(f"error: --set {pair}: not {kind.__name__}") from None
    return dataclasses.replace(settings, **changes)


def main() -> None:
    """Writes the files and says how fast."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pins", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--logs", action="store_true")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    given = parser.parse_args()
    settings = CatalogSettings(seed=given.seed).sized(given.pins)
    settings, start = _with(settings, given.set), time.perf_counter()
    rows = write_catalog(settings, given.folder, logs=given.logs, workers=given.workers)
    seconds = time.perf_counter() - start
    for name, count in rows.items():
        print(f"{given.folder / name}.parquet: {count:,} rows")
    made = rows.get("pins", 0) + rows.get("products", 0)
    print(f"{seconds:.1f} s, {made / seconds:,.0f} entities/s")


if __name__ == "__main__":
    main()
