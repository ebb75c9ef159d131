"""Writes an invented shop, to try `recjax data` on files of one's own.

    python tools/example_shop.py shop

Writes tables of events, items and judgements, the events of a day later, and photos in
folders of classes, larger than those of `recjax.testing` and of the same kind.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import polars as pl

from recjax.testing import photos, shop

USERS, EACH = 400, 30


def main() -> None:
    """Writes the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    things = shop.items(colours=8, styles=5).drop("colour")
    events = shop.events(things, USERS, EACH).drop("action")
    last = events["timestamp"].max()
    later = events.head(200).with_columns(
        user=pl.format("new{}", pl.int_range(pl.len())),
        timestamp=last + 60 * pl.int_range(pl.len()),
    )
    titles = things.select("item", "title")
    judged = shop.judgements(things, whole=False)
    tables = {
        "events": events,
        "events_today": pl.concat([events, later]),
        "items": things,
        "judgements": judged.join(titles, left_on="candidate", right_on="item"),
    }
    for name, table in tables.items():
        table.write_csv(folder / f"{name}.csv")
        print(f"wrote {folder / name}.csv")
    photos.images(folder / "photos", kinds=8, each=20)


if __name__ == "__main__":
    main()
