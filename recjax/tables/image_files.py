"""The bytes of images that a column of a table names."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from recjax.images.decode import BadImageError, decode
from recjax.tables.report import Findings
from recjax.tables.result import Read
from recjax.tables.typed import TypedColumn, labels_of
from recjax.text.column import Texts, offsets_of

THUMBNAIL = 64
"""Pixels a side at which an image is decoded to see that it can be."""


def load(
    found: Read,
    name: str,
    findings: Findings,
    folder: Path | None = None,
    *,
    optional: bool = False,
) -> tuple[TypedColumn, np.ndarray]:
    """Reads the files that a column names, and decodes each.

    Args:
      found: the table.
      name: the column of paths.
      findings: where problems go.
      folder: that paths are relative to; None: that of the part they stand in.
      optional: whether a row is good without its image.

    Returns:
      The bytes, none where a file is bad or none is named, and bool[n]: which are good.
    """
    column, bad, why = found.table[name], [], []
    paths = column.texts if column.type in ("image", "text") else labels_of(column)
    part, _ = found.rows(np.arange(found.table.rows))
    places = [
        folder or (at.parent if isinstance(at := one.at, Path) else Path())
        for one in found.source.parts
    ]

    def contents() -> Iterator[bytes]:
        for row, path in enumerate(paths):
            try:
                content = b""
                if path:
                    content = (places[part[row]] / path.strip()).read_bytes()
                    decode(content, THUMBNAIL, THUMBNAIL)
                yield content
            except (BadImageError, OSError, ValueError) as error:
                bad.append(row)
                missing = isinstance(error, FileNotFoundError)
                why.append(f"{path}: {'there is no such file' if missing else error}")
                yield b""

    column = files("image" if name == "id" else name, contents())
    kind, fix = "cannot be read as an image", "repair or remove it; paths are relative "
    fix += "to the folder of the table"
    args = name, kind, np.array(bad, int), why, fix
    found.tell(findings, *args, quote=False, optional=optional)
    good = np.ones(found.table.rows, bool)
    good[bad] = False
    return column, good


def files(name: str, contents: Iterable[bytes]) -> TypedColumn:
    """Returns a column of images: bytes of files, kept on disk until it is gone."""
    lengths = []
    with tempfile.TemporaryFile() as kept:
        for content in contents:
            kept.write(content)
            lengths.append(len(content))
        kept.flush()
        size = sum(lengths)
        data = np.memmap(kept, np.uint8, "r", shape=size) if size else np.zeros(0, "u1")
    return TypedColumn(name, "image", Texts(data, offsets_of(np.array(lengths))))
