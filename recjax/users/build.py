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
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from tqdm import tqdm

from recjax import disk
from recjax.bundle.items import check_items, data_of
from recjax.errors import UserError
from recjax.index.item_vectors import ItemVectors
from recjax.jobs import Runner, processes
from recjax.tables.result import Options
from recjax.users.folder import MANIFEST, STORE
from recjax.users.rows import read_profiles, write_profiles
from recjax.users.shard import Job, ids, profiles, read_table
from recjax.users.store import DuplicateUser, write_sqlite


def build(
    files: Sequence[Path],
    vectors: Path,
    out: Path,
    job: Job,
    each: Runner | None = None,
    progress: bool = False,
    options: Options | None = None,
) -> dict:
    """Makes the profiles of all users of some files of events; returns the manifest.

    Args:
      files: Parquet files of events; a user's events all in one of them.
      vectors: folder of item vectors.
      out: folder, made where it is missing; what is done there already is kept.
      job: window, now, and settings of the clustering.
      each: how files are gone through, with the memory of one file for each that is
        done at once; one by one by default.
      progress: show a bar.
      options: how the files are read.

    Raises:
      UserError: a file is wrong; no user is left; or a user stands in two files.
    """
    shards = Path(out) / "shards"
    shards.mkdir(parents=True, exist_ok=True)
    names = Counter(Path(file).stem for file in files)
    if not files or names.most_common(1)[0][1] > 1:
        same = names.most_common(1)[0][0] if names else None
        raise UserError(f"events: files of different names, please, not two {same!r}")
    check_items(vectors)
    digest = _opened(vectors).digest
    options = options or Options()
    made = partial(_made_of, digest=digest, job=job, options=options)
    todo = [str(file) for file in files if not _done(file, shards, made)]
    step = partial(
        build_shard, vectors=vectors, shards=shards, job=job, options=options
    )
    steps = (each or processes())(step, todo)
    for done in tqdm(steps, total=len(todo), disable=not progress, unit="file"):
        del done
    return _collect(files, vectors, out, job, digest)


def _collect(
    files: Sequence[Path], vectors: Path, out: Path, job: Job, digest: str
) -> dict:
    """Writes the store and the manifest once all shards are there."""
    shards = Path(out) / "shards"
    made = [shards / f"{Path(file).stem}.parquet" for file in files]
    counts: Counter = Counter()
    for shard in made:
        counts.update(json.loads(shard.with_suffix(".json").read_text())["counts"])
    if not counts["users"]:
        why = ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
        raise UserError(
            f"no user is left: {why or 'events 0'}; counted were {job.window:g} days "
            f"up to --now {job.now:.0f} (unix seconds), see --now and --window"
        )
    for old in Path(out).glob(f".{STORE}.*"):
        old.unlink()
    try:
        with disk.whole(Path(out) / STORE) as file:
            write_sqlite(file, chain.from_iterable(map(read_profiles, made)))
            # That of before would be taken for this store's.
            (Path(out) / MANIFEST).unlink(missing_ok=True)
    except DuplicateUser as error:
        raise UserError(_in_which(error.args[0], files, made)) from None
    data = data_of(vectors)
    manifest = {
        "format": "recjax profiles 2",
        "job": asdict(job),
        "vectors": str(Path(vectors).resolve()),
        "digest": digest,
        "data": None if data is None else data.told,
        "shards": [Path(file).stem for file in files],
        "counts": dict(counts),
    }
    disk.write_text(Path(out) / MANIFEST, json.dumps(manifest, indent=1) + "\n")
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


def build_shard(
    file: str, vectors: Path, shards: Path, job: Job, options: Options
) -> None:
    """Writes the profiles of one file of events.

    Doing it again, or twice at once, gives the same files.
    """
    items = _opened(vectors)
    of = _made_of(file, items.digest, job, options)
    found, counts = profiles(Path(file), items, job, options)
    made = shards / f"{Path(file).stem}.parquet"
    with disk.whole(made) as partial:
        write_profiles(partial, found)
    about = json.dumps({"of": of, "counts": counts}, indent=1)
    disk.write_text(made.with_suffix(".json"), about + "\n")


def _opened(vectors: Path) -> ItemVectors:
    """Returns item vectors, which a process opens once for many files of events."""
    files = (Path(vectors) / name for name in ("vectors.npy", "items.jsonl"))
    stamps = (one.stat().st_mtime_ns if one.is_file() else 0 for one in files)
    return _of(Path(vectors), *stamps)


@lru_cache(1)
def _of(vectors: Path, *stamps: int) -> ItemVectors:
    del stamps  # Of its files: what is new is opened anew.
    return ItemVectors.open(vectors)


def moment(out: Path, now: float | None, present: float) -> float:
    """Returns the moment up to which a run counts, and keeps it until it is done.

    Args:
      out: folder of the profiles.
      now: unix seconds, if they were given.
      present: the moment of a run that is new; one that goes on has its own.

    Raises:
      UserError: the kept moment is damaged.
    """
    kept = Path(out) / "now"
    if now is None:
        try:
            now = float(kept.read_text()) if kept.is_file() else present
        except ValueError:
            raise UserError(f"{kept} is damaged; delete it, or give --now") from None
    Path(out).mkdir(parents=True, exist_ok=True)
    disk.write_text(kept, repr(now))
    return now


def partition(
    files: Sequence[Path], out: Path, shards: int, options: Options | None = None
) -> list[Path]:
    """Parts events by user: writes `shards` Parquet files, and returns them.

    Args:
      files: tables with the columns user, item, timestamp; see `read_events`.
      out: folder; the parts of an earlier call go once the new ones are there.
      shards: number of files; one is read into memory at a time by `build`.
      options: how the files are read.

    Raises:
      UserError: a file is wrong, has no events, or is such a part; or no shards.
    """
    if shards < 1:
        raise UserError(f"--shards {shards}: give 1 or more")
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    old = {path.resolve() for path in out.glob("events-[0-9]*.parquet")}
    if mine := sorted(old & {Path(file).resolve() for file in files}):
        raise UserError(f"{mine[0]} would be replaced; choose another --out")
    paths = [out / f"events-{shard:05d}.parquet" for shard in range(shards)]
    table = read_table([Path(file) for file in files], options)
    # Codes are held, text only of one part.
    part_of = pl.Series(list(table["user"].vocabulary)).hash(0) % shards
    part_of, written = part_of.to_numpy()[table["user"].array], []
    for number in np.unique(part_of).tolist():
        mine = table.take(np.flatnonzero(part_of == number))
        when = pl.Series(mine["timestamp"].array).cast(pl.Datetime("ns"))
        frame = pl.DataFrame({**ids(mine), "timestamp": when})
        frame.write_parquet(paths[number].with_suffix(".partial"))
        written.append(paths[number])
    for path in written:
        path.with_suffix(".partial").replace(path)
    for path in old - {path.resolve() for path in written}:
        path.unlink()
    return written


def _made_of(file: str | Path, digest: str, job: Job, options: Options) -> dict:
    about = Path(file).stat()
    read = {"unit": options.unit, "encoding": options.encoding}
    return {
        "file": str(file),
        "stamp": [about.st_size, about.st_mtime_ns],
        "read": read | {"rename": dict(options.rename)},
        "items": digest,
        "job": asdict(job),
    }


def _done(file: Path, shards: Path, made_of: Callable[[Path], dict]) -> bool:
    if not Path(file).is_file():
        raise UserError(f"{file}: no such file of events")
    made = shards / f"{Path(file).stem}.parquet"
    try:
        about = json.loads(made.with_suffix(".json").read_text())
    except (OSError, ValueError):
        return False
    return made.is_file() and about["of"] == made_of(file)
