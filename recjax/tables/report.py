"""What is wrong with a user's files: every problem counted, the first ones listed."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from recjax.errors import UserError

LISTED = 1_000
SHOWN = 10
WIDTH = 60


@dataclass(frozen=True)
class Problem:
    """One problem: where it is, what stands there and what to do.

    Attributes:
      kind: the problem in a few words, the same for all of its kind.
      file: the file's name: below its folder, where a table is a folder of parts.
      row: line of the file with the header as row 1 (Parquet: the record, from 1);
        None if it is about the whole file.
      column: the column's name in the file, or "".
      value: what stands there, shortened.
      fix: what to do.
    """

    kind: str
    file: str
    row: int | None
    column: str
    value: str
    fix: str


@dataclass(frozen=True)
class Report:
    """All problems of a set of files.

    Attributes:
      rows: data rows read per file.
      problems: the first `LISTED` of each kind in each file.
      counts: all problems per (file, kind).
      bad_rows: rows with at least one problem, over all files.
      needed: problems per (file, column) that are not of values that may be missing;
        "" for the column is rows as such.
      notes: what was decided or left out without being a problem, a line each.
    """

    rows: Mapping[str, int]
    problems: tuple[Problem, ...]
    counts: Mapping[tuple[str, str], int]
    bad_rows: int
    needed: Mapping[tuple[str, str], int]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there is no problem."""
        return not self.problems

    @property
    def fatal(self) -> bool:
        """Whether a problem is about a whole file: skipping rows cannot help."""
        return any(p.row is None for p in self.problems)

    @property
    def bad_share(self) -> float:
        """Bad rows over rows, 0 for no rows."""
        return self.bad_rows / max(1, sum(self.rows.values()))

    def __str__(self) -> str:
        """The report as text: files, then kinds, then rows."""
        lines = [f"{file}: {n:,} rows" for file, n in self.rows.items()]
        if len(lines) > SHOWN + 1:
            more = f"... and {len(lines) - SHOWN:,} more files"
            lines = [*lines[:SHOWN], f"{more}, {sum(self.rows.values()):,} rows in all"]
        lines += self.notes
        if self.ok:
            return "\n".join([*lines, "No problems."])
        total = sum(self.counts.values())
        problems = "1 problem" if total == 1 else f"{total:,} problems"
        rows = "1 row" if self.bad_rows == 1 else f"{self.bad_rows:,} rows"
        lines.append(problems + (f", {rows} affected." if self.bad_rows else "."))
        for (file, kind), count in self.counts.items():
            found = [p for p in self.problems if (p.file, p.kind) == (file, kind)]
            lines.append(f"\n{file}: {kind}" + (f" ({count:,})" if count > 1 else ""))
            fixes = dict.fromkeys(p.fix for p in found)
            lines += [_place(p, with_fix=len(fixes) > 1) for p in found[:SHOWN]]
            if count > SHOWN:
                lines.append(f"  ... and {count - min(SHOWN, len(found)):,} more")
            if len(fixes) == 1:
                lines.append(f"  Fix: {found[0].fix}")
        return "\n".join(lines)

    def write_csv(self, path: Path) -> None:
        """Writes the listed problems as a table.

        Raises:
          OSError: `path` cannot be written.
        """
        with open(path, "w", newline="", encoding="utf-8") as file:
            out = csv.writer(file)
            out.writerow(["file", "row", "column", "value", "problem", "fix"])
            for p in self.problems:
                out.writerow([p.file, p.row, p.column, p.value, p.kind, p.fix])


class Findings:
    """Collects problems while files are checked."""

    def __init__(self) -> None:
        """Starts without problems; `fatal` counts those of whole files."""
        self.fatal = 0
        self._rows: dict[str, int] = {}
        self._problems: dict[tuple[str, str], list[Problem]] = defaultdict(list)
        self._counts: dict[tuple[str, str], int] = defaultdict(int)
        self._needed: dict[tuple[str, str], int] = defaultdict(int)
        self._bad: dict[str, list[np.ndarray]] = defaultdict(list)
        self._notes: dict[str, None] = {}

    def read(self, file: str, rows: int) -> None:
        """Notes how many data rows a file has."""
        self._rows[file] = rows

    def note(self, file: str, text: str) -> None:
        """Adds what the user should know but need not mend."""
        self._notes[f"{file}: {text}"] = None

    def of_file(self, file: str, kind: str, fix: str, value: str = "") -> None:
        """Adds a problem of a whole file."""
        self.fatal += 1
        self._counts[file, kind] += 1
        self._problems[file, kind].append(Problem(kind, file, None, "", value, fix))

    def of_rows(
        self,
        file: str,
        column: str,
        kind: str,
        rows: Iterable[int],
        values: Iterable[Any],
        fix: str,
        *,
        quote: bool = True,
        optional: bool = False,
    ) -> None:
        """Adds one problem for each of `rows`, whose values are `values`.

        With `quote` the values are the file's own and put in quotation marks; with
        `optional` they may be missing, so that rows are good without them.
        """
        rows = np.fromiter(rows, np.int64)
        if not rows.size:
            return
        listed = self._problems[file, kind]
        free = max(0, LISTED - len(listed))
        for row, value in zip(rows[:free].tolist(), values, strict=False):
            shown = _quoted(value) if quote else value
            listed.append(Problem(kind, file, row, column, shown, fix))
        self._counts[file, kind] += rows.size
        if not optional:
            self._needed[file, column] += rows.size
        self._bad[file].append(rows)

    def add(self, other: Findings, *, notes: bool = True) -> None:
        """Adds all that another reading of other files found."""
        self.fatal += other.fatal
        self._rows |= other._rows
        self._notes |= other._notes if notes else {}
        for key, found in other._problems.items():
            self._problems[key] += found
            self._counts[key] += other._counts[key]
        for key, count in other._needed.items():
            self._needed[key] += count
        for file, rows in other._bad.items():
            self._bad[file] += rows

    def same_fixes(self, known: dict[tuple[str, str], str]) -> None:
        """Gives problems of a kind and column the fix that the first of them had.

        Args:
          known: (kind, column) -> fix, which grows.
        """
        for found in self._problems.values():
            for at, one in enumerate(found):
                key = one.kind, one.column
                found[at] = replace(one, fix=known.setdefault(key, one.fix))

    @classmethod
    def of_the_same(cls, each: Iterable[Findings]) -> Findings:
        """Returns what several found in rows of the same files, by row."""
        found = cls()
        for one in each:
            found.add(one)
        for problems in found._problems.values():
            problems.sort(key=lambda problem: problem.row or 0)
            del problems[LISTED:]
        return found

    def count(self, file: str, kind: str) -> int:
        """Returns how many problems of that kind the file has so far."""
        return self._counts.get((file, kind), 0)

    def report(self) -> Report:
        """Returns everything collected: problems of whole files, then file by file."""
        files = {file: number for number, file in enumerate(self._rows)}

        def place(key: tuple[str, str]) -> tuple[int, int]:
            row = self._problems[key][0].row
            return (-1, 0) if row is None else (files.get(key[0], len(files)), row)

        keys = sorted(self._counts, key=place)
        bad = sum(np.unique(np.concatenate(b)).size for b in self._bad.values())
        return Report(
            rows=dict(self._rows),
            problems=tuple(p for k in keys for p in self._problems[k]),
            counts={k: int(self._counts[k]) for k in keys},
            bad_rows=int(bad),
            needed=dict(sorted(self._needed.items())),
            notes=tuple(self._notes),
        )


def accept(report: Report, *, on_bad_row: str, max_bad_share: float) -> None:
    """Returns if preparation may go on with what is good.

    Args:
      report: the problems found.
      on_bad_row: "error" (any problem stops), "skip" (drop rows with problems) or
        "empty" (a bad value that may be missing is; any other problem stops).
      max_bad_share: the largest share of rows with problems where some may be.

    Raises:
      UserError: it may not; the message is the whole report.
    """
    if report.ok:
        return
    if on_bad_row == "error":
        end = "Nothing was prepared."
        if not report.fatal:
            end += (
                f" To leave out the bad rows ({report.bad_share:.3%} of all) and what "
                "refers to them, pass --on-bad-row skip"
            )
            keep = "; to keep them without the bad values, --on-bad-row empty"
            end += ("" if report.needed else keep) + "."
        raise UserError(f"{report}\n\n{end}")
    if report.fatal:
        raise UserError(f"{report}\n\nNothing was prepared: skipping rows cannot help.")
    if on_bad_row == "empty" and report.needed:
        told = [f"{n:,} in {_of(*key)}" for key, n in report.needed.items()]
        more = ", ..." if len(told) > SHOWN else ""
        raise UserError(
            f"{report}\n\nNothing was prepared: --on-bad-row empty is for values that "
            f"may be missing, and these problems are others: "
            f"{', '.join(told[:SHOWN])}{more}. Mend them, or pass --on-bad-row skip."
        )
    if report.bad_share > max_bad_share:
        raise UserError(
            f"{report}\n\nNothing was prepared: {report.bad_rows:,} of "
            f"{sum(report.rows.values()):,} rows ({report.bad_share:.2%}) are bad, "
            f"more than --max-bad-share {max_bad_share:g} allows."
        )


def _of(file: str, column: str) -> str:
    return f"column {column!r} of {file}" if column else f"rows of {file}"


def _place(problem: Problem, *, with_fix: bool) -> str:
    parts = []
    if problem.row is not None:
        parts.append(f"row {problem.row}")
    if problem.column:
        parts.append(f"column {problem.column!r}")
    text = "  " + ", ".join(parts)
    if problem.value:
        text += (": " if parts else "") + problem.value
    return text + (f" -> {problem.fix}" if with_fix else "")


def _quoted(value: Any) -> str:
    if value is None:
        return "(nothing)"
    # A lone surrogate stands for a byte that is no text: show it as that byte.
    raw = str(value)[: WIDTH + 1].encode("utf-8", "surrogateescape")
    text = raw.decode("utf-8", "backslashreplace").replace("\n", "\\n")
    text = text.replace("\r", "\\r")
    return f'"{text}"' if len(text) <= WIDTH else f'"{text[:WIDTH]}..."'
