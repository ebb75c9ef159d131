"""Writes an invented shop, to try `recjax data` on files of one's own.

    python tools/example_shop.py shop

Writes tables of events, items and judgements, the events of a day later, and photos in
folders of classes. Customers stay with one or two kinds of things, and a kind of thing
has a colour in photos, so there is something to learn.
"""

from __future__ import annotations

import argparse
import csv
import random
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

KINDS = ("kettle", "lamp", "chair", "rug", "shelf", "clock", "mirror", "basket")
COLOURS = ("black", "white", "red", "green", "blue", "oak", "brass", "cream")
STYLES = ("small", "large", "folding", "round", "vintage")
USERS, EACH, DAY = 400, 30, 86_400
START = 1_700_000_000


def main() -> None:
    """Writes the files."""
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
    head = ("user", "item", "timestamp")
    write(folder / "events.csv", head, events)
    last = max(when for *_, when in events)
    later = [(f"new{i}", events[i][1], last + 60 * i) for i in range(200)]
    write(folder / "events_today.csv", head, events + later)
    prices = random.Random(1)
    priced = [(*one, prices.randrange(500, 20_000) / 100) for one in items]
    write(folder / "items.csv", ("item", "title", "tags", "price"), priced)
    pairs = [
        (f"{title.split()[1]} {kind}", item, 3, title) for item, title, kind in items
    ]
    pairs += [(kind, item, 2, title) for item, title, kind in items]
    columns = ("query", "candidate", "grade", "title")
    write(folder / "judgements.csv", columns, pairs)
    for at, kind in enumerate(KINDS):
        paint(folder / "photos" / kind, (32 * at, 255 - 32 * at, 128), draw)


def paint(folder: Path, colour: tuple[int, int, int], draw: random.Random) -> None:
    """Writes some photos of a colour, which no two of them have alike."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(20):
        shade = bytes(min(255, part + draw.randrange(30)) for part in colour)
        rows = [shade * 32 if row % (number + 2) else bytes(96) for row in range(32)]
        size = 32 * 32 * 3
        head = struct.pack(
            "<2sIIIIiiHHI20x", b"BM", 54 + size, 0, 54, 40, 32, 32, 1, 24, 0
        )
        (folder / f"{number}.bmp").write_bytes(head + b"".join(rows))


def write(path: Path, head: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Writes a CSV file and says so."""
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(head)
        out.writerows(rows)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
