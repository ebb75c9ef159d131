"""Writes an invented shop, to try `recjax data` on files of one's own.

    python tools/example_shop.py shop

Writes shop/events.csv, shop/items.csv and shop/judgements.csv. Customers of the shop
stay with one or two kinds of things, so there is something to learn.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

KINDS = ("kettle", "lamp", "chair", "rug", "shelf", "clock", "mirror", "basket")
COLOURS = ("black", "white", "red", "green", "blue", "oak", "brass", "cream")
STYLES = ("small", "large", "folding", "round", "vintage")
USERS, EACH, DAY = 400, 30, 86_400
START = 1_700_000_000


def main() -> None:
    """Writes the three files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder, draw = parser.parse_args().folder, random.Random(0)
    folder.mkdir(parents=True, exist_ok=True)
    items = [
        (f"{kind[:2]}-{style[:2]}{colour[:3]}", f"{style} {colour} {kind}", kind)
        for kind in KINDS
        for colour in COLOURS
        for style in STYLES
    ]
    by_kind = {kind: [one for one in items if one[2] == kind] for kind in KINDS}
    events = []
    for user in range(USERS):
        liked, when = draw.sample(KINDS, 2), START + draw.randrange(200 * DAY)
        wanted = [one for kind in liked for one in by_kind[kind]]
        for item, *_ in draw.sample(wanted, EACH):
            when += draw.randrange(60, 3 * DAY)
            events.append((f"u{user}", item, when))
    write(folder / "events.csv", ("user", "item", "timestamp"), events)
    prices = random.Random(1)
    priced = [(*one, prices.randrange(500, 20_000) / 100) for one in items]
    write(folder / "items.csv", ("item", "title", "tags", "price"), priced)
    pairs = [
        (f"{title.split()[1]} {kind}", item, 3, title) for item, title, kind in items
    ]
    pairs += [(kind, item, 2, title) for item, title, kind in items]
    columns = ("query", "candidate", "grade", "title")
    write(folder / "judgements.csv", columns, pairs)


def write(path: Path, head: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Writes a CSV file and says so."""
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(head)
        out.writerows(rows)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
