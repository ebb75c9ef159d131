"""Counting logs of any size: a process a file, then a process a shard of the ids.

Each file is counted a slice at a time; counts are parted by a hash of the id, so that
each shard is added up and ranked on its own, in memory of its own size. Apache Beam
runs the same two functions on many machines.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from recjax.errors import UserError, nearest
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


def count_file(file: Path, job: Job, shards: int) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yields (shard, counts) of a Parquet log.

    Raises:
      UserError: the file is no such log.
    """
    parts = [job.count(frame) for frame in _slices(file, job.columns)]
    if parts:
        counts = logs.add_counts(parts)
        counts = counts.with_columns(shard=shard_of(counts["id"], shards))
        for (shard,), part in counts.group_by("shard", maintain_order=True):
            yield shard, part.drop("shard")


def finish_shard(
    parts: Iterable[pl.DataFrame], job: Job
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Returns the counts of a shard, of which there are `parts`, and the feature."""
    counts = job.keep(logs.add_counts(list(parts)))
    return counts, job.rank(counts)


def run(
    job: Job,
    files: Sequence[Path],
    out: Path,
    *,
    counts: Path | None = None,
    shards: int = 16,
    workers: int = 1,
) -> None:
    """Counts logs and writes the feature; with `counts`, adds to what was counted.

    Args:
      job: what to count.
      files: Parquet logs.
      out: Parquet file of the feature, sorted by id.
      counts: folder of counts that is read if it exists, and left as the sum.
      shards: parts of the ids; memory is that of the largest.
      workers: processes.

    Raises:
      UserError: a file is no such log.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    work = out.parent / f".{out.name}.work"
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir()
        numbered = [(file, work / f"{i}-") for i, file in enumerate(files)]
        _each(partial(_count_to, job=job, shards=shards), numbered, workers)
        (work / "counts").mkdir()
        finish = partial(_finish_to, job=job, work=work, before=counts)
        _each(finish, [(shard,) for shard in range(shards)], workers)
        made = sorted(work.glob("feature-*.parquet"))
        if made:
            feature = pl.concat([pl.read_parquet(file) for file in made]).sort("id")
            feature.write_parquet(work / "feature.parquet")
            (work / "feature.parquet").replace(out)
        elif files:
            raise UserError(f"{files[0].name}: nothing to count in the logs.")
        if counts is not None:
            _replace_counts(counts, work / "counts", {"shards": shards, **vars(job)})
    finally:
        shutil.rmtree(work, ignore_errors=True)


def counted(counts: Path) -> dict | None:
    """Returns what a folder of counts was made with, or None if there is none."""
    file = counts / ABOUT
    return json.loads(file.read_text()) if file.is_file() else None


def run_beam(
    job: Job, files: Sequence[Path], out: Path, *, shards: int = 256, options=None
) -> None:
    """Does what `run` does as an Apache Beam pipeline; `out` is a folder of shards.

    Args:
      job: what to count.
      files: Parquet logs that every worker can read.
      out: folder that every worker can write.
      shards: parts of the ids.
      options: Beam's PipelineOptions; by default the runner in this process.
    """
    import apache_beam as beam

    out.mkdir(parents=True, exist_ok=True)
    options = options or beam.options.pipeline_options.PipelineOptions(
        ["--runner=DirectRunner"]
    )
    with beam.Pipeline(options=options) as pipeline:
        (
            pipeline
            | "Files" >> beam.Create([str(file) for file in files])
            | "Spread" >> beam.Reshuffle()
            | "Count" >> beam.FlatMap(_count_packed, job, shards)
            | "Group" >> beam.GroupByKey()
            | "Finish" >> beam.Map(_finish_packed, job, str(out))
        )


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
                frame = pl.from_arrow(batch).with_columns(pl.col("id").cast(pl.String))
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
            row = start + frame[name].is_null().arg_max() + 1
            raise UserError(
                f"{file.name}: row {row}, column {name!r}: nothing; fill it in, or "
                "delete the row."
            )
    return frame


def _each(function: Callable, arguments: Sequence[tuple], workers: int) -> None:
    if workers == 1:
        for given in arguments:
            function(*given)
        return
    # Forked processes would inherit locks that threads of this one hold.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
        for future in [pool.submit(function, *given) for given in arguments]:
            future.result()


def _count_to(file: Path, start: Path, *, job: Job, shards: int) -> None:
    for shard, part in count_file(file, job, shards):
        part.write_parquet(f"{start}{shard}.parquet")


def _finish_to(shard: int, *, job: Job, work: Path, before: Path | None) -> None:
    found = sorted(work.glob(f"*-{shard}.parquet"))
    if before is not None and (old := before / f"{shard}.parquet").is_file():
        found.append(old)
    if not found:
        return
    counts, feature = finish_shard([pl.read_parquet(file) for file in found], job)
    counts.write_parquet(work / "counts" / f"{shard}.parquet")
    feature.write_parquet(work / f"feature-{shard}.parquet")


def _replace_counts(counts: Path, made: Path, about: dict) -> None:
    (made / ABOUT).write_text(json.dumps(about) + "\n")
    counts.parent.mkdir(parents=True, exist_ok=True)
    if counts.exists():
        counts.rename(made.parent / "replaced")
    made.rename(counts)


def _count_packed(file: str, job: Job, shards: int) -> Iterator[tuple[int, bytes]]:
    for shard, part in count_file(Path(file), job, shards):
        packed = io.BytesIO()
        part.write_ipc(packed)
        yield shard, packed.getvalue()


def _finish_packed(group: tuple[int, Iterable[bytes]], job: Job, out: str) -> None:
    shard, parts = group
    _, feature = finish_shard((pl.read_ipc(io.BytesIO(part)) for part in parts), job)
    feature.write_parquet(Path(out) / f"feature-{shard}.parquet")
