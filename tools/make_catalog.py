"""Writes an invented catalogue of any size, to try recjax on, as Parquet files.

    python tools/make_catalog.py catalog --pins 100000 --logs
    recjax data prepare --judgements catalog/pairs.parquet --out catalog \
        --entity pin=catalog/pins.parquet --entity product=catalog/products.parquet

With --logs it also writes saves.parquet and events.parquet, the raw logs from which
tools/build_board_titles.py and tools/build_engaged_queries.py make two of the fields.
Any field of `CatalogSettings` can be set: --set quality=0.3.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path

from recjax.errors import nearest
from recjax.prepare.synthetic.world import CatalogSettings
from recjax.prepare.synthetic.write import write_catalog


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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
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
