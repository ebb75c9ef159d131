"""A user's table as it lies on disk or in memory: one file, many parts, or a frame."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from recjax.errors import nearest
from recjax.tables.report import Findings

SUFFIXES = (
    *(".csv", ".tsv", ".parquet", ".pq", ".jsonl"),
    *(".csv.gz", ".tsv.gz", ".jsonl.gz"),
)


@dataclass(frozen=True)
class Part:
    """One file of a table, or a frame.

    Attributes:
      name: shown in reports: a file's path below its table's folder.
      at: the file, or the rows themselves.
    """

    name: str
    at: Path | pl.DataFrame

    @property
    def suffix(self) -> str:
        """One of `SUFFIXES`; "" for a frame or an unknown one."""
        name = "" if isinstance(self.at, pl.DataFrame) else self.at.name.lower()
        return max((s for s in SUFFIXES if name.endswith(s)), key=len, default="")


@dataclass(frozen=True)
class Source:
    """A table: parts in sorted order that have the same columns.

    Attributes:
      name: shown in reports.
      parts: at least one.
    """

    name: str
    parts: tuple[Part, ...]

    @property
    def label(self) -> str:
        """What to call all of it in a report: the only file, or the folder."""
        return self.parts[0].name if len(self.parts) == 1 else self.name

    @classmethod
    def of(cls, given: Any, findings: Findings, name: str = "table") -> Source | None:
        """Finds the parts of a table; problems go to `findings`.

        Args:
          given: a path, a pattern (`events/*.parquet`), a folder of parts, a list of
            paths, a Polars frame, or a source already.
          findings: where problems go.
          name: what a frame is called in reports.

        Returns:
          The source, or None if there is none.
        """
        if isinstance(given, Source):
            return given
        if isinstance(given, pl.DataFrame):
            return cls(name, (Part(name, given),))
        if not isinstance(given, str | os.PathLike):
            found = _of_paths([Path(path) for path in given])
        elif Path(given).is_dir():
            found = _of_paths(sorted(_below(Path(given))), Path(given))
            if not found:
                fix = f"name a file, or a folder of {', '.join(SUFFIXES)}"
                findings.of_file(Path(given).name, "a folder without data", fix)
        elif glob.has_magic(str(given)) and not Path(given).exists():
            found = _of_paths(sorted(map(Path, glob.glob(str(given)))))
            if not found:
                findings.of_file(str(given), "no such file", "check the pattern")
        else:
            found = _of_paths([Path(given)])
        if not found or not all(_usable(part, findings) for part in found):
            return None
        name = name if isinstance(given, list | tuple) else Path(given).name
        return cls(name, tuple(found))


def _below(folder: Path) -> Iterable[Path]:
    """Yields the files below, without those that writers of parts leave behind."""
    for path in folder.rglob("*"):
        inner = path.relative_to(folder).parts
        if path.is_file() and not any(name[0] in "._" for name in inner):
            yield path


def _of_paths(paths: list[Path], folder: Path | None = None) -> list[Part]:
    """Returns a part for each path, under the shortest names that tell them apart."""
    if folder is None and paths:
        folder = Path(os.path.commonpath([path.absolute().parent for path in paths]))
    return [Part(os.path.relpath(path, folder), path) for path in paths]


def _usable(part: Part, findings: Findings) -> bool:
    """Returns whether the file is there and of a known kind; else says why not."""
    path = part.at
    if isinstance(path, pl.DataFrame):
        return True
    if path.is_dir():
        fix = "name the files in it"
        findings.of_file(part.name, "a folder, not a file", fix, str(path))
    elif not path.exists():
        fix = f"check the path{_near(path)}"
        findings.of_file(part.name, "no such file", fix, str(path))
    elif not part.suffix:
        fix = f"save it as one of {', '.join(SUFFIXES)}"
        findings.of_file(part.name, "unknown extension", fix, repr(path.suffix))
    else:
        return True
    return False


def _near(path: Path) -> str:
    try:
        return "." + nearest(path.name, (p.name for p in path.parent.iterdir()))
    except OSError:
        return f": there is no folder {path.parent}"
