"""Counting logs of any size: file by file, then shard by shard of the ids.

Each file is counted a slice at a time; counts are parted by a hash of the id, so that
each shard is added up and ranked on its own, in memory of its own size.
"""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from recjax import disk
from recjax.errors import UserError, nearest
from recjax.jobs import Runner, processes
from recjax.prepare import feature_logs as logs

SLICE = 1 << 20
ABOUT = "about.json"


@dataclass(frozen=True)
class BoardTitles:
    """Counts saves, and ranks the titles of boards.

    Attributes:
      top: titles an entity.
    """

    columns = ("id", "board_title")
    top: int = logs.BOARD_TITLES

    def count(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Returns the counts of a part of a log."""
        return logs.count_board_titles(frame)

    def keep(self, counts: pl.DataFrame) -> pl.DataFrame:
        """Returns the counts that matter."""
        return counts

    def rank(self, counts: pl.DataFrame) -> pl.DataFrame:
        """Returns the feature."""
        return logs.rank_board_titles(counts, self.top)


@dataclass(frozen=True)
class EngagedQueries:
    """Counts engagements by period, and ranks queries over a window.

    Attributes:
      now: unix seconds; the period that it lies in is not over and left out.
      every: days of a period.
      window: days.
      after: periods up to this one were counted before and are left out of logs.
      top: queries an entity.
    """

    columns = ("id", "query", "timestamp")
    now: int
    every: int = 7
    window: int = logs.WINDOW_DAYS
    after: int = -1
    top: int = logs.ENGAGED_QUERIES

    def count(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Returns the counts of a part of a log, without those counted before."""
        counts = logs.count_queries(frame, self.every)
        return self.keep(counts.filter(pl.col("period") > self.after))

    def keep(self, counts: pl.DataFrame) -> pl.DataFrame:
        """Returns the counts in the window."""
        return logs.within(counts, self.now, self.every, self.window)

    def rank(self, counts: pl.DataFrame) -> pl.DataFrame:
        """Returns the feature."""
        return logs.rank_queries(counts, self.top)


Job = BoardTitles | EngagedQueries


def shard_of(ids: pl.Series, shards: int) -> pl.Series:
    """Returns the shard of each id, the same on any machine."""
    distinct = ids.unique()
    found = [zlib.crc32(id_.encode()) % shards for id_ in distinct]
    return ids.replace_strict(distinct, found, return_dtype=pl.Int32)


def run(
    job: Job,
    files: Sequence[Path],
    out: Path,
    *,
    counts: Path | None = None,
    shards: int = 16,
    each: Runner | None = None,
) -> None:
    """Counts logs and writes the feature; with `counts`, adds to what was counted.

    Args:
      job: what to count.
      files: Parquet logs.
      out: Parquet file of the feature, sorted by id; without the suffix .parquet, a
        folder of one for each shard, if there is no memory for all.
      counts: folder of counts that is read if it exists, and left as the sum.
      shards: parts of the ids; memory is that of the largest.
      each: how files and shards are gone through; one by one by default.

    Raises:
      UserError: a file is no such log, there are no shards, or the folder is there.
    """
    if shards < 1:
        raise UserError(f"--shards {shards}: give 1 or more")
    if out.suffix != ".parquet" and out.exists():
        raise UserError(f"{out} is there; delete it, or choose another folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    work = out.parent / f".{out.name}.work"
    shutil.rmtree(work, ignore_errors=True)
    each = each or processes()
    try:
        for name in ("counts", "feature"):
            (work / name).mkdir(parents=True)
        step = partial(_count, job=job, work=work, shards=shards)
        list(each(step, list(enumerate(map(str, files)))))
        step = partial(_finish, job=job, work=work, before=counts)
        list(each(step, range(shards)))
        made = sorted((work / "feature").iterdir())
        if not made and files:
            raise UserError(f"{files[0].name}: nothing to count in the logs.")
        if made and out.suffix == ".parquet":
            with disk.whole(out) as file:
                pl.concat(map(pl.read_parquet, made)).sort("id").write_parquet(file)
        elif made:
            (work / "feature").replace(out)
        if counts is not None:
            _replace_counts(counts, work / "counts", {"shards": shards, **vars(job)})
    finally:
        shutil.rmtree(work, ignore_errors=True)


def counted(counts: Path) -> dict | None:
    """Returns what a folder of counts was made with, or None if there is none."""
    file = counts / ABOUT
    return json.loads(file.read_text()) if file.is_file() else None


def _slices(file: Path, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    try:
        with pq.ParquetFile(file) as log:
            header = log.schema_arrow.names
            for name in columns:
                if name not in header:
                    raise UserError(
                        f"{file.name}: there is no column {name!r}, it has "
                        f"{', '.join(header)}.{nearest(name, header)} A log needs "
                        f"the columns {', '.join(columns)}."
                    )
            row = 0
            for batch in log.iter_batches(SLICE, columns=list(columns)):
                frame = pl.DataFrame(pa.Table.from_batches([batch]))
                frame = frame.with_columns(pl.col("id").cast(pl.String))
                yield _checked(frame, file, row)
                row += frame.height
    except FileNotFoundError:
        raise UserError(f"{file}: there is no such log.") from None
    except pa.ArrowException as error:
        why = str(error).splitlines()[0]
        raise UserError(f"{file}: not a readable Parquet file ({why}).") from error


def _checked(frame: pl.DataFrame, file: Path, start: int) -> pl.DataFrame:
    """Returns the rows, after checking that ids and times are there and of a type."""
    for name, dtype in frame.schema.items():
        right = dtype.is_integer() if name == "timestamp" else dtype == pl.String
        if not right:
            needs = "integers, unix seconds" if name == "timestamp" else "text"
            raise UserError(
                f"{file.name}: column {name!r} holds {dtype}; store {needs} in it."
            )
        if name in ("id", "timestamp") and frame[name].null_count():
            row = start + int(frame[name].is_null().arg_max() or 0) + 1
            raise UserError(
                f"{file.name}: row {row}, column {name!r}: nothing; fill it in, or "
                "delete the row."
            )
    return frame


def _count(numbered: tuple[int, str], *, job: Job, work: Path, shards: int) -> None:
    """Writes the counts of a log, a file a shard."""
    number, log = numbered
    parts = [job.count(frame) for frame in _slices(Path(log), job.columns)]
    if parts:
        counts = logs.add_counts(parts)
        counts = counts.with_columns(shard=shard_of(counts["id"], shards))
        for (shard,), part in counts.group_by("shard"):
            with disk.whole(work / f"{number}-{shard}.parquet") as file:
                part.drop("shard").write_parquet(file)


def _finish(shard: int, *, job: Job, work: Path, before: Path | None) -> None:
    """Writes the counts of a shard, added up, and its feature."""
    found = sorted(work.glob(f"*-{shard}.parquet"))
    if before is not None and (old := before / f"{shard}.parquet").is_file():
        found.append(old)
    if found:
        counts = job.keep(logs.add_counts([pl.read_parquet(file) for file in found]))
        with disk.whole(work / "counts" / f"{shard}.parquet") as file:
            counts.write_parquet(file)
        with disk.whole(work / "feature" / f"{shard:05d}.parquet") as file:
            job.rank(counts).write_parquet(file)


def _replace_counts(counts: Path, made: Path, about: dict) -> None:
    (made / ABOUT).write_text(json.dumps(about) + "\n")
    counts.parent.mkdir(parents=True, exist_ok=True)
    if counts.exists():
        counts.rename(made.parent / "replaced")
    made.rename(counts)
