"""Photographs of an invented shop: each kind of thing has its colour."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import Any

from recjax.testing.shop import KINDS

SIDE = 32


def images(folder: str | Path, kinds: int = 3, each: int = 10) -> dict[str, Any]:
    """Writes small photographs in folders of classes.

    Args:
      folder: where to; made if missing.
      kinds: classes, at most 8.
      each: photographs of a class.

    Returns:
      Arguments of `rj.prepare`: images.
    """
    draw = random.Random(0)
    for at, kind in enumerate(KINDS[:kinds]):
        colour = (32 * at, 255 - 32 * at, 128)
        _paint(Path(folder) / kind, colour, each, draw)
    return {"images": Path(folder)}


def _paint(
    folder: Path, colour: tuple[int, int, int], each: int, draw: random.Random
) -> None:
    """Writes some photographs of a colour, no two of which are alike."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(each):
        shade = bytes(min(255, part + draw.randrange(30)) for part in colour)
        rows = [
            shade * SIDE if row % (number + 2) else bytes(3 * SIDE)
            for row in range(SIDE)
        ]
        size = 3 * SIDE * SIDE
        head = struct.pack(
            "<2sIIIIiiHHI20x", b"BM", 54 + size, 0, 54, 40, SIDE, SIDE, 1, 24, 0
        )
        (folder / f"{number}.bmp").write_bytes(head + b"".join(rows))
