"""Preparing your own tables: read and checked -> a folder of typed columns."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from recjax import disk
from recjax.data.prepared import ABOUT, BUILT_IN, Prepared, place
from recjax.errors import UserError
from recjax.jobs import Runner
from recjax.paths import prepared_root
from recjax.prepare.events import read_events
from recjax.prepare.extend import extended
from recjax.prepare.gather import Reading, read_entity
from recjax.prepare.images import read_images
from recjax.prepare.judgements import read_judgements
from recjax.prepare.options import DEFAULTS, Files, How, command
from recjax.prepare.parts import PARTITION, Parts
from recjax.prepare.write import FIX, Data, is_prepared, sweep, work_folder, write
from recjax.tables.report import Findings, Report, accept
from recjax.tables.source import Source
from recjax.tables.typed import Table

log = logging.getLogger(__name__)
LISTS = {"skip": "skipped_rows.csv", "empty": "empty_values.csv"}
"""Where problems are listed that a policy goes on with."""


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
      report: all problems, and what was decided.
      data: the good rows; None if a table cannot be used.
    """

    report: Report
    data: Data | None


def check(files: Files, how: How = DEFAULTS, parts: Parts | None = None) -> Checked:
    """Reads tables and looks for every problem of each, in one pass.

    Args:
      files: the tables.
      how: how they become a data set.
      parts: how parts of tables are read and events sorted; None: by this process.

    Raises:
      UserError: an option, rather than a table, is wrong; or no event is left.
    """
    findings = Findings()
    reading = Reading(files, how, findings, parts)
    tables: dict[str, Table | None] = {}
    settings: dict[str, Any] = {}
    for name in files.given:
        if name == "image":
            tables[name], told = read_images(reading) or (None, {})
            settings |= told
        elif name not in ("events", "judgements"):
            tables[name] = read_entity(reading, name)
    known = {name: table for name, table in tables.items() if table is not None}
    if files.judgements is not None:
        tables |= read_judgements(reading, known) or {"judgements": None}
        known |= {name: table for name, table in tables.items() if table is not None}
    if files.events is not None:
        made, told = read_events(reading, known) or ({"events": None}, {})
        tables, settings = {**tables, **made}, {**settings, **told}
    report = findings.report()
    found = {name: table for name, table in tables.items() if table is not None}
    whole = len(found) == len(tables) and not report.fatal
    return Checked(report, Data(found, settings) if whole else None)


def prepare(
    files: Files, out: str | Path, how: How = DEFAULTS, each: Runner | None = None
) -> Path:
    """Checks and prepares tables of your own.

    Returns at once if `out` holds the same files prepared with the same options; other
    contents of an earlier preparation are replaced.

    Args:
      files: the tables.
      out: name or path of the data set; see `recjax.data.prepared.place`.
      how: how they become a data set.
      each: goes through the parts of a table and partitions of the events, as
        `recjax.jobs.processes(4)` or `recjax.jobs.beam(options)`; None: this process
        does all.

    Returns:
      The folder of the prepared data set.

    Raises:
      UserError: a table, an option or `out` is bad; with the whole report.

    Example:
      >>> prepare(Files(events="events.csv", items="items.csv"), "shop")
    """
    path = place(out)
    if path.parent == prepared_root() and path.name in BUILT_IN:
        raise UserError(f"--out {path.name}: a built-in data set; take another name.")
    source = _source(files, how)
    if source is not None and is_prepared(path, source):
        return path
    with _parts(path, each) as parts:
        checked = check(files, how, parts)
        return _written(checked, path, source or {}, how, command(files, how, str(out)))


def _written(
    checked: Checked, path: Path, source: Mapping[str, Any], how: How, told: str
) -> Path:
    """Writes what is good, if enough is."""
    report = checked.report
    policy = {"on_bad_row": how.on_bad_row, "max_bad_share": how.max_bad_share}
    accept(report, **policy)
    data = checked.data
    if data is None or not all(table.rows for table in data.tables.values()):
        raise UserError(f"{report}\n\nNothing was prepared: no good rows are left.")
    log.info("%s", report)
    if how.extend and (path / ABOUT).is_file():
        old = Prepared.open(path)
        for name in {"events", "judgements"} & set(old.tables) & set(data.tables):
            was, now = old.table(name).rows, data.tables[name].rows
            log.warning(
                "%s: %d, those of these files alone; the %d of before are not kept: "
                "give the whole log each time",
                *(name, now, was),
            )
        data = extended(old, data)
    extra = {}
    if not report.ok:
        skip, name = how.on_bad_row == "skip", LISTS[how.on_bad_row]
        extra = {name: report.write_csv}
        log.warning(
            "%s %d of %d rows (%.3f%%)%s; listed in %s.",
            "Left out" if skip else "Without a value that cannot be read are",
            report.bad_rows,
            sum(report.rows.values()),
            100 * report.bad_share,
            ", or what is bad in them" if skip else ", where it is taken as missing",
            path / name,
        )
    return write(data, path, source=source, command=told, extra=extra)


@contextlib.contextmanager
def _parts(path: Path, each: Runner | None) -> Iterator[Parts | None]:
    """Gives a folder beside the data set for what workers read, and deletes it."""
    if each is None:
        yield None
        return
    path = path.absolute()
    with disk.writing("what is read of parts", path, FIX):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path)
        work = work_folder(path, "parts")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            yield Parts(each, work, PARTITION)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _source(files: Files, how: How) -> Mapping[str, Any] | None:
    """Returns what decides the data set; None where it has no hash, as frames."""
    hashes = {}
    for name, given in files.given.items():
        # Whatever is wrong with it, the check will say.
        found = Source.of(given, Findings(), name)
        if found is None or name == "image":
            return None
        try:
            hashes[name] = {part.name: _sha256(part.at) for part in found.parts}
        except (OSError, TypeError):
            return None
    options = asdict(replace(how, now=None))
    return {"files": hashes, **{k: v for k, v in options.items() if v is not None}}


def _sha256(path: Any) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
