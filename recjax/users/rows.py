"""Profiles as rows of a Parquet file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recjax.users.profile import Profile

SCHEMA = pa.schema(
    [
        ("user", pa.string()),
        ("as_of", pa.float64()),
        ("medoid", pa.list_(pa.string())),
        ("importance", pa.list_(pa.float64())),
        ("size", pa.list_(pa.int32())),
        ("newest", pa.list_(pa.float64())),
        ("center", pa.list_(pa.float32())),
    ]
)
"""A row a user; `center` holds the means of the clusters one after the other."""


def write_profiles(file: Path, found: Sequence[tuple[str, Profile]]) -> None:
    """Writes users and profiles, some thousands at a time."""
    with pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        for begin in range(0, len(found), 10_000):
            writer.write_table(_table(found[begin : begin + 10_000]))


def read_profiles(file: Path) -> Iterator[tuple[str, Profile]]:
    """Yields the users and profiles of a shard, a part of it in memory at a time."""
    for batch in pq.ParquetFile(file).iter_batches(batch_size=5_000):
        users, as_of = batch["user"].to_pylist(), batch["as_of"].to_pylist()
        medoid = batch["medoid"].to_pylist()
        names = ("importance", "size", "newest", "center")
        lists = [_lists(batch[name]) for name in names]
        for i, user in enumerate(users):
            importance, size, newest, center = (
                values[bounds[i] : bounds[i + 1]] for values, bounds in lists
            )
            center = center.reshape(len(importance), -1)
            own = (tuple(medoid[i]), importance, size, newest, center)
            yield user, Profile(as_of[i], *own)


def _table(found: Sequence[tuple[str, Profile]]) -> pa.Table:
    """Returns users and profiles as a table, without a Python object a number."""
    each = [profile for _, profile in found]
    bounds = np.cumsum([0, *(len(profile.medoid) for profile in each)])
    width = each[0].center.shape[1]

    def lists(name: str, times: int = 1) -> pa.Array:
        values = np.concatenate([getattr(profile, name).ravel() for profile in each])
        offsets = pa.array(bounds * times, pa.int32())
        return pa.ListArray.from_arrays(offsets, pa.array(values))

    columns = [
        pa.array([user for user, _ in found], pa.string()),
        pa.array([profile.as_of for profile in each], pa.float64()),
        pa.array([profile.medoid for profile in each], pa.list_(pa.string())),
        *map(lists, ("importance", "size", "newest")),
        lists("center", width),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _lists(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Returns the values of a column of lists, and where each list begins and ends."""
    return column.values.to_numpy(), column.offsets.to_numpy()
