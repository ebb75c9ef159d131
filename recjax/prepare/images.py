"""The user's own images: a folder of classes, or paths in a table; each decoded once.

A folder's inner folders are its classes, nested ones from coarse to fine; if the first
ones are called train, validation (or val) and test, they are the splits. A table has
the column `image` (a path, relative to the table), a column of class names for each
level from coarse to fine, and may have `split`. Without splits, the MD5 of the name
decides: 80 % train, 10 % validation, 10 % test.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from recjax.data.given_split import split_name
from recjax.data.new_items import with_id
from recjax.data.splits import SPLITS, ByQuery
from recjax.prepare import make
from recjax.prepare.gather import Reading
from recjax.tables.columns import Column
from recjax.tables.image_files import load
from recjax.tables.report import Findings
from recjax.tables.result import Read
from recjax.tables.typed import Table, TypedColumn, labels_of

EXTENSIONS = (
    *(".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    ".jfif",
)
IMAGE = "image"


def read_images(reading: Reading) -> tuple[Table, dict[str, Any]] | None:
    """Returns the table of images, and its levels of classes from coarse to fine.

    Returns:
      None if there is none, and then the findings say why.
    """
    given, findings = reading.files.given[IMAGE], reading.findings
    if isinstance(given, str | Path) and Path(given).expanduser().is_dir():
        folder = Path(given).expanduser()
        frame = _folder(folder, findings)
        if frame is None:
            return None
        files = replace(reading.files, images=frame)
        reading = replace(reading, files=files)
    else:
        folder = None
    names = reading.how.names(IMAGE, reading.files)
    rename = with_id(reading.header(IMAGE), IMAGE, names)
    schema = (Column("id", "id"), Column("split", "category", False))
    found = reading.read(IMAGE, schema, rename, "category")
    if found is None:
        return None
    levels = [
        name
        for name, column in found.table.columns.items()
        if column.type == "category" and name != "split"
    ]
    ids = [posixpath.normpath(id.strip()) for id in labels_of(found.table["id"])]
    good = _normal(found, ids, levels, findings)
    name = IMAGE if IMAGE in found.table else "id"
    images, read = load(found, name, findings, folder)
    kept = np.flatnonzero(good & read)
    ids, parts = [ids[row] for row in kept], [*SPLITS]
    columns = dict(found.table.take(kept).columns) | {IMAGE: images.take(kept)}
    if "split" in columns:
        split = [split_name(name) for name in labels_of(columns["split"])]
    else:
        split = [parts[i] for i in ByQuery().of_texts(ids)]
    columns["split"] = make.category("split", split, parts)
    own = [columns[level] for level in levels]
    for place, level in enumerate(levels, 1):
        columns[level] = _whole_paths(own[:place])
    del columns["id"]
    return make.entity(ids, *columns.values()), {"levels": levels}


def _folder(source: Path, findings: Findings) -> pl.DataFrame | None:
    """Returns the images below a folder as a table: image, classes, maybe split."""
    files = sorted(
        path
        for path in source.rglob("*")
        if path.is_file()
        and not any(p.startswith(".") for p in path.relative_to(source).parts)
    )
    rows = np.arange(1, len(files) + 1)
    inner = [path.relative_to(source).parts for path in files]

    def tell(kind: str, where: Sequence[int], fix: str) -> None:
        names = ["/".join(inner[i]) for i in where]
        findings.of_rows(source.name, "", kind, rows[list(where)], names, fix)

    other = [i for i, p in enumerate(files) if p.suffix.lower() not in EXTENSIONS]
    fix = f"move it out of the folder; images end in {', '.join(EXTENSIONS)}"
    tell("is no image by its name", other, fix)
    kept = [i for i in range(len(files)) if i not in set(other)]
    parted = {inner[i][0] for i in kept if len(inner[i]) > 1}
    has_splits = bool(parted) and {split_name(name) for name in parted} <= set(SPLITS)
    first = int(has_splits)
    depths = Counter(len(inner[i]) - 1 - first for i in kept)
    if not depths:
        findings.of_file(source.name, "holds no images", "put images into it")
        return None
    depth = depths.most_common(1)[0][0]
    if depth < 1:
        fix = "put the images of each class into a folder with the class's name"
        findings.of_file(source.name, "has no folders of classes", fix)
        return None
    odd = [i for i in kept if len(inner[i]) - 1 - first != depth]
    kind = f"is not {depth} class folders deep, as most are"
    tell(kind, odd, "give every image a class on each level")
    use = [i for i in kept if i not in set(odd)]
    levels = [f"level_{i}" for i in range(depth)] if depth > 1 else ["class"]
    columns = {IMAGE: ["/".join(inner[i]) for i in use]}
    for place, level in enumerate(levels, first):
        columns[level] = [inner[i][place] for i in use]
    if has_splits:
        columns["split"] = [inner[i][0] for i in use]
    return pl.DataFrame(columns)


def _normal(
    found: Read, ids: Sequence[str], levels: Sequence[str], findings: Findings
) -> np.ndarray:
    """Returns rows of distinct images that have all classes and a split, bool[N]."""
    good = np.ones(found.table.rows, bool)

    def problem(name: str, kind: str, where: np.ndarray, fix: str) -> None:
        at = np.flatnonzero(where)
        column = found.table[name]
        values = column.vocabulary.take(column.array[at])
        found.tell(findings, name, kind, at, values, fix)
        good[at] = False

    twice = ~pl.Series(ids, dtype=pl.String).is_first_distinct().to_numpy()
    problem("id", "stands in an earlier row too", twice, "remove a row")
    for level in levels:
        problem(level, "is empty", found.table[level].array == 0, "fill it in")
    if "split" in found.table:
        column = found.table["split"]
        names = [split_name(name) for name in column.vocabulary]
        wrong = np.array([name not in SPLITS for name in names], bool)[column.array]
        problem("split", "is no split", wrong, f"use {', '.join(SPLITS)}")
    return good


def _whole_paths(levels: Sequence[TypedColumn]) -> TypedColumn:
    """Returns the last level with the coarser ones in its names, sorted.

    A class is its whole path: "fresh" of apples is not "fresh" of pears.
    """
    parts = [labels_of(level) for level in levels]
    names = ["/".join(row) for row in zip(*parts, strict=True)]
    return make.category(levels[-1].name, names, sorted(set(names)))
