"""The user's own images: a folder of classes, or a CSV of paths; each one decoded once.

A folder's inner folders are its classes, nested ones from coarse to fine; if the first
ones are called train, validation (or val) and test, they are the splits. A CSV has the
column `image` (a path, relative to the CSV), a column of class names for each level
from coarse to fine, and may have `split`. Without splits, the MD5 of the name decides:
80 % train, 10 % validation, 10 % test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from recjax.data.images.table import ImageTable
from recjax.data.splits import SPLITS, ByQuery
from recjax.images.decode import BadImageError, decode
from recjax.tables.report import Findings, Report

EXTENSIONS = (
    *(".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    *(".jfif", ".ppm"),
)
OTHER_NAMES = {"val": "validation", "valid": "validation", "dev": "validation"}
THUMBNAIL = 64


@dataclass(frozen=True)
class CheckedImages:
    """What a check found.

    Attributes:
      report: all problems; a row is a line of the CSV, or the number of a file in the
        sorted folder.
      table: the good images; None if there are none.
    """

    report: Report
    table: ImageTable | None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to prepare."""
        return self.table is None


@dataclass(frozen=True)
class _Listed:
    """Images as the user lists them, not yet opened."""

    rows: list[int]
    names: list[str]
    paths: list[Path]
    labels: list[tuple[str, ...]]
    splits: list[str | None]
    levels: tuple[str, ...]


def validate_images(source: str | Path) -> CheckedImages:
    """Checks a folder or CSV of images, and decodes each.

    Args:
      source: the folder, or the CSV.
    """
    source, findings = Path(source).expanduser(), Findings()
    if source.is_dir():
        listed = _folder(source, findings)
    elif source.is_file():
        listed = _csv(source, findings)
    else:
        kind = "there is no such folder or file"
        findings.of_file(source.name, kind, "check the path", f"{source}")
        listed = None
    if listed is None:
        return CheckedImages(findings.report(), None)
    good = _decodable(source.name, listed, findings)
    report = findings.report()
    return CheckedImages(report, _table(listed, good) if good else None)


def _folder(source: Path, findings: Findings) -> _Listed | None:
    files = sorted(
        path
        for path in source.rglob("*")
        if path.is_file()
        and not any(p.startswith(".") for p in path.relative_to(source).parts)
    )
    findings.read(source.name, len(files))
    rows = range(1, len(files) + 1)
    other = [i for i, p in enumerate(files) if p.suffix.lower() not in EXTENSIONS]
    findings.of_rows(
        source.name,
        "",
        "is no image by its name",
        [rows[i] for i in other],
        [str(files[i].relative_to(source)) for i in other],
        f"move it out of the folder; images end in {', '.join(EXTENSIONS)}",
    )
    kept = [i for i in range(len(files)) if i not in set(other)]
    inner = [files[i].relative_to(source).parts for i in kept]
    parted = {part[0] for part in inner if len(part) > 1}
    named = {OTHER_NAMES.get(name.lower(), name.lower()) for name in parted}
    has_splits = bool(parted) and named <= set(SPLITS)
    first = 1 if has_splits else 0
    depths = Counter(len(part) - 1 - first for part in inner)
    if not depths:
        findings.of_file(source.name, "holds no images", "put images into it")
        return None
    depth = depths.most_common(1)[0][0]
    if depth < 1:
        fix = "put the images of each class into a folder with the class's name"
        findings.of_file(source.name, "has no folders of classes", fix)
        return None
    odd = [k for k, part in enumerate(inner) if len(part) - 1 - first != depth]
    findings.of_rows(
        source.name,
        "",
        f"is not {depth} class folders deep, as most are",
        [rows[kept[k]] for k in odd],
        ["/".join(inner[k]) for k in odd],
        "give every image a class on each level",
    )
    use = [k for k in range(len(kept)) if k not in set(odd)]
    splits = [OTHER_NAMES.get(p[0].lower(), p[0].lower()) for p in inner]
    return _Listed(
        rows=[rows[kept[k]] for k in use],
        names=["/".join(inner[k]) for k in use],
        paths=[files[kept[k]] for k in use],
        labels=[inner[k][first:-1] for k in use],
        splits=[splits[k] if has_splits else None for k in use],
        levels=tuple(f"level_{i}" for i in range(depth)) if depth > 1 else ("class",),
    )


def _csv(source: Path, findings: Findings) -> _Listed | None:
    try:
        frame = pl.read_csv(source, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        findings.of_file(source.name, "cannot be read as CSV", "repair it", reason)
        return None
    findings.read(source.name, frame.height)
    levels = tuple(c for c in frame.columns if c not in ("image", "split"))
    if "image" not in frame.columns or not levels:
        findings.of_file(
            source.name,
            "needs the column image and one or more columns of classes",
            "rename the columns in its first line",
            ", ".join(frame.columns),
        )
        return None
    lines = np.arange(2, frame.height + 2)
    bad = np.zeros(frame.height, bool)

    def problem(column: str, kind: str, where: np.ndarray, fix: str) -> None:
        values = frame[column].filter(pl.Series(where)).to_list()
        findings.of_rows(source.name, column, kind, lines[where], values, fix)
        bad[where] = True

    for column in ("image", *levels):
        empty = frame[column].is_null() | (frame[column].str.strip_chars() == "")
        problem(column, "is empty", empty.to_numpy(), "fill it in")
    twice = ~frame["image"].is_first_distinct() & frame["image"].is_not_null()
    problem("image", "stands in an earlier row too", twice.to_numpy(), "remove a row")
    splits: list[str | None] = [None] * frame.height
    if "split" in frame.columns:
        lower = frame["split"].str.strip_chars().str.to_lowercase()
        splits = lower.replace(OTHER_NAMES).to_list()
        wrong = np.array([name not in SPLITS for name in splits], bool)
        problem("split", "is no split", wrong, f"use {', '.join(SPLITS)}")
    names = frame["image"].to_list()
    paths = [None if n is None else source.parent / n.strip() for n in names]
    missing = np.array(
        [not b and not p.is_file() for b, p in zip(bad, paths, strict=True)], bool
    )
    where = f"paths are relative to {source.parent}"
    problem("image", "there is no such file", missing, where)
    use = np.flatnonzero(~bad)
    labels = frame.select(levels).rows()
    return _Listed(
        rows=lines[use].tolist(),
        names=[names[i] for i in use],
        paths=[paths[i] for i in use],
        labels=[tuple(x.strip() for x in labels[i]) for i in use],
        splits=[splits[i] for i in use],
        levels=levels,
    )


def _decodable(file: str, listed: _Listed, findings: Findings) -> list[int]:
    good, bad, why = [], [], []
    for i, path in enumerate(listed.paths):
        try:
            decode(path.read_bytes(), THUMBNAIL, THUMBNAIL)
            good.append(i)
        except (BadImageError, OSError) as error:
            bad.append(listed.rows[i])
            why.append(f"{listed.names[i]}: {error}")
    kind, fix = "cannot be decoded", "repair or remove the image"
    findings.of_rows(file, "image", kind, bad, why, fix, quote=False)
    return good


def _table(listed: _Listed, good: Sequence[int]) -> ImageTable:
    names = [listed.names[i] for i in good]
    paths = [listed.paths[i] for i in good]
    # A class is its whole path: "fresh" of apples is not "fresh" of pears.
    labels, classes = [], []
    for level in range(len(listed.levels)):
        full = ["/".join(listed.labels[i][: level + 1]) for i in good]
        known = sorted(set(full))
        number = {name: n for n, name in enumerate(known)}
        labels.append([number[name] for name in full])
        classes.append(tuple(known))
    split = ByQuery().of_texts(names)
    for at, i in enumerate(good):
        if listed.splits[i] is not None:
            split[at] = SPLITS[listed.splits[i]]
    return ImageTable(
        names=tuple(names),
        labels=np.array(labels, np.int32).T,
        levels=listed.levels,
        classes=tuple(classes),
        split=split,
        read=lambda i: paths[i].read_bytes(),
    )
