"""The batch job: files of events -> files of profiles -> a store.

out/shards/NAME.parquet   profiles of the users of one file of events
out/shards/NAME.json      written after it: what it was made of, and the counts
out/profiles.sqlite       all profiles by user
out/manifest.json         written last: settings, and the sums of the counts

Each file appears whole, by a rename. A run that was stopped goes on with the files of
events that are not done; one that was done with other settings is done again.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from itertools import chain
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from recjax.errors import UserError
from recjax.index.item_vectors import ItemVectors
from recjax.users.rows import read_profiles, write_profiles
from recjax.users.settings import Settings
from recjax.users.shard import Job, profiles
from recjax.users.store import DuplicateUser, write_sqlite

MANIFEST = "manifest.json"
STORE = "profiles.sqlite"


def build(
    files: Sequence[Path],
    vectors: Path,
    out: Path,
    job: Job,
    workers: int = 1,
    progress: bool = False,
) -> dict:
    """Makes the profiles of all users of some files of events; returns the manifest.

    Args:
      files: Parquet files of events; a user's events all in one of them.
      vectors: folder of item vectors.
      out: folder, made where it is missing; what is done there already is kept.
      job: window, now, and settings of the clustering.
      workers: processes. Memory is that of one file, for each.
      progress: show a bar.

    Raises:
      UserError: a file is wrong; or a user stands in two of them.
    """
    from recjax.bundle.open import open_items  # It needs JAX, workers need none.

    shards = Path(out) / "shards"
    shards.mkdir(parents=True, exist_ok=True)
    names = Counter(Path(file).stem for file in files)
    if not files or names.most_common(1)[0][1] > 1:
        same = names.most_common(1)[0][0] if names else None
        raise UserError(f"events: files of different names, please, not two {same!r}")
    open_items(vectors)
    todo = [file for file in files if not _done(file, vectors, shards, job)]
    for done in _bar(_each(todo, vectors, shards, job, workers), len(todo), progress):
        del done
    return collect(files, vectors, out, job)


def collect(files: Sequence[Path], vectors: Path, out: Path, job: Job) -> dict:
    """Writes the store and the manifest once all shards are there."""
    shards = Path(out) / "shards"
    made = [shards / f"{Path(file).stem}.parquet" for file in files]
    partial = Path(out) / f"{STORE}.partial"
    for old in Path(out).glob(f"{STORE}.partial*"):
        old.unlink()
    try:
        write_sqlite(partial, chain.from_iterable(map(read_profiles, made)))
    except DuplicateUser as error:
        raise UserError(_in_which(error.args[0], files, made)) from None
    _rename(partial, Path(out) / STORE)
    counts: Counter = Counter()
    for shard in made:
        counts.update(json.loads(shard.with_suffix(".json").read_text())["counts"])
    manifest = {
        "format": "recjax profiles 1",
        "job": asdict(job),
        "vectors": str(Path(vectors).resolve()),
        "shards": [Path(file).stem for file in files],
        "counts": dict(counts),
    }
    _write_json(Path(out) / MANIFEST, manifest)
    return manifest


def _in_which(user: str, files: Sequence[Path], made: Sequence[Path]) -> str:
    holds = (
        user in pq.read_table(shard, columns=["user"])["user"].to_pylist()
        for shard in made
    )
    named = [str(file) for file, own in zip(files, holds, strict=True) if own]
    return (
        f"{', '.join(named)}: user {user!r} stands in {len(named)} files; part the "
        "events by user: `recjax users partition`"
    )


def build_shard(file: Path, vectors: ItemVectors, shards: Path, job: Job) -> str:
    """Writes the profiles of one file of events; returns the name of the shard.

    Doing it again, or twice at once, gives the same files.
    """
    found, counts = profiles(Path(file), vectors, job)
    made = shards / f"{Path(file).stem}.parquet"
    partial = made.with_suffix(f".partial-{os.getpid()}")
    write_profiles(partial, found)
    _rename(partial, made)
    about = {"of": _made_of(file, vectors.place, job), "counts": counts}
    _write_json(made.with_suffix(".json"), about)
    return made.stem


def read_manifest(folder: Path) -> tuple[Job, Path]:
    """Returns the job that made a folder, and the folder of its item vectors.

    Raises:
      UserError: there is no manifest, or it is broken.
    """
    try:
        content = json.loads((Path(folder) / MANIFEST).read_text())
        job = dict(content["job"])
        settings = Settings(**job.pop("settings"))
        return Job(settings=settings, **job), Path(content["vectors"])
    except FileNotFoundError:
        raise UserError(
            f"{folder}/{MANIFEST}: no such file; `recjax users build` writes it last"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder}/{MANIFEST}: not readable: {error}") from None


def partition(files: Sequence[Path], out: Path, shards: int) -> list[Path]:
    """Parts events by user: writes `shards` Parquet files, and returns them.

    Args:
      files: Parquet files with the columns user, item, timestamp.
      out: folder.
      shards: number of files; one is read into memory at a time by `build`.
    """
    Path(out).mkdir(parents=True, exist_ok=True)
    paths = [Path(out) / f"events-{shard:05d}.parquet" for shard in range(shards)]
    writers: dict[int, pq.ParquetWriter] = {}
    columns = ["user", "item", "timestamp"]
    try:
        for file in files:
            for batch in pq.ParquetFile(file).iter_batches(1 << 20, columns=columns):
                frame = pl.from_arrow(batch).with_columns(
                    pl.col("user", "item").cast(pl.String)
                )
                shard = frame["user"].hash(0) % shards
                for (number,), part in frame.group_by(shard, maintain_order=True):
                    table = part.select(columns).to_arrow()
                    if number not in writers:
                        place = paths[number].with_suffix(".partial")
                        writers[number] = pq.ParquetWriter(place, table.schema)
                    writers[number].write_table(table.cast(writers[number].schema))
    except (OSError, KeyError, pa.ArrowException) as error:
        raise UserError(f"{file}: cannot part it by user: {error}") from None
    finally:
        for writer in writers.values():
            writer.close()
    written = [paths[number] for number in sorted(writers)]
    for path in written:
        path.with_suffix(".partial").replace(path)
    return written


def _each(todo, vectors, shards, job, workers) -> Iterator[str]:
    if workers <= 1 or len(todo) <= 1:
        items = ItemVectors.open(vectors)
        for file in todo:
            yield build_shard(file, items, shards, job)
        return
    # Spawned, not forked: the caller may have threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _open, (vectors,)) as pool:
        tasks = [pool.submit(_in_worker, file, shards, job) for file in todo]
        try:
            for task in as_completed(tasks):
                yield task.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_items: ItemVectors | None = None
"""Of a worker process, which opens them once."""


def _open(vectors: Path) -> None:
    global _items
    _items = ItemVectors.open(vectors)


def _in_worker(file: Path, shards: Path, job: Job) -> str:
    return build_shard(file, _items, shards, job)


def _made_of(file: Path, place: str, job: Job) -> dict:
    about = Path(file).stat()
    stamp = [about.st_size, about.st_mtime_ns, os.stat(place).st_mtime_ns]
    return {"file": str(file), "stamp": stamp, "job": asdict(job)}


def _done(file: Path, vectors: Path, shards: Path, job: Job) -> bool:
    if not Path(file).is_file():
        raise UserError(f"{file}: no such file of events")
    made = shards / f"{Path(file).stem}.parquet"
    try:
        about = json.loads(made.with_suffix(".json").read_text())
    except (OSError, ValueError):
        return False
    wanted = _made_of(file, f"{vectors}/vectors.npy", job)
    return made.is_file() and about["of"] == wanted


def _write_json(path: Path, content: dict) -> None:
    partial = path.with_suffix(f".json.partial-{os.getpid()}")
    partial.write_text(json.dumps(content, indent=1) + "\n")
    _rename(partial, path)


def _rename(partial: Path, path: Path) -> None:
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)


def _bar(steps, total: int, show: bool):
    from tqdm import tqdm

    return tqdm(steps, total=total, disable=not show, unit="file")
