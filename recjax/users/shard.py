"""One file of events -> the clusters of its users. Idempotent, and nothing is silent.

Events are Parquet with the columns user, item, timestamp (unix seconds, or a date and
time). All events of a user stand in one file; `partition` sees to that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from recjax.errors import UserError
from recjax.index.item_vectors import ItemVectors
from recjax.users.cluster import cluster_users
from recjax.users.profile import DAY, Profile
from recjax.users.settings import Settings

COLUMNS = ("user", "item", "timestamp")


@dataclass(frozen=True)
class Job:
    """What a batch run does.

    Attributes:
      now: unix seconds; what comes after it is left out.
      settings: of the clustering.
      window: days before now that count (paper: 90).
      most: newest actions of a user that count; the work grows with its square.
      at_once: actions that are in memory at a time, but for one user's.
    """

    now: float
    settings: Settings = field(default_factory=Settings)
    window: float = 90.0
    most: int = 1_000
    at_once: int = 200_000


def read_events(file: Path) -> pl.DataFrame:
    """Returns the events of a Parquet file: text user and item, float seconds.

    Raises:
      UserError: the file is not readable, a column is missing or of a wrong type, or a
        value is missing.
    """
    try:
        frame = pl.read_parquet(file, columns=list(COLUMNS))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UserError(
            f"{file}: not readable as Parquet with {', '.join(COLUMNS)}: {error}"
        ) from None
    time = frame["timestamp"]
    if time.dtype.is_temporal():
        time = time.cast(pl.Datetime("us")).dt.epoch("us") / 1e6
    elif not time.dtype.is_numeric():
        raise UserError(f"{file}, column timestamp: {time.dtype}; give unix seconds")
    frame = frame.with_columns(
        pl.col("user", "item").cast(pl.String), time.cast(pl.Float64).alias("timestamp")
    )
    for name in COLUMNS:
        wrong = frame[name].is_null()
        if name == "timestamp":
            wrong |= ~frame[name].is_finite()
        if wrong.any():
            row = int(wrong.arg_max() or 0)
            raise UserError(
                f"{file}, row {row}, column {name}: {frame[name][row]}; give each "
                f"event a {name}"
            )
    return frame


def select(
    events: pl.DataFrame, items: ItemVectors, job: Job
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Returns the events that count, by user and time, and how many do not, and why."""
    counts = {"events": len(events)}

    def without(name: str, kept: pl.DataFrame) -> pl.DataFrame:
        counts[name] = len(events) - len(kept)
        return kept

    events = without("future", events.filter(pl.col("timestamp") <= job.now))
    begin = job.now - job.window * DAY
    events = without("too_old", events.filter(pl.col("timestamp") > begin))
    distinct = events["item"].unique()
    place = [items.rows.get(id, -1) for id in distinct]
    place = pl.DataFrame({"item": distinct, "row": pl.Series(place, dtype=pl.Int64)})
    events = events.join(place, on="item", how="left")
    events = without("unknown_item", events.filter(pl.col("row") >= 0))
    events = without("twice", events.unique(subset=list(COLUMNS)))
    events = events.sort("user", "timestamp", "item")
    later = pl.int_range(pl.len(), 0, -1).over("user")
    events = without("beyond_most", events.filter(later <= job.most))
    return events, counts


def profiles(
    file: Path, items: ItemVectors, job: Job
) -> tuple[list[tuple[str, Profile]], dict[str, int]]:
    """Returns the profile of each user of a file, in order, and the counts of `select`.

    Raises:
      UserError: the file is wrong, see `read_events`; none of its items is known; or a
        vector is bad.
    """
    events, counts = select(read_events(file), items, job)
    if counts["unknown_item"] and not len(events):
        raise UserError(
            f"{file}, column item: none of the items is in {items.place}; are these "
            "ids of the same catalogue?"
        )
    lengths = events.group_by("user", maintain_order=True).len()
    users, sizes = lengths["user"].to_list(), lengths["len"].to_numpy()
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    rows, times = events["row"].to_numpy(), events["timestamp"].to_numpy()
    counts["users"], found = len(users), []
    begin = 0
    while begin < len(users):
        end = int(np.searchsorted(offsets, offsets[begin] + job.at_once, "right")) - 1
        end = max(end, begin + 1)
        part = slice(offsets[begin], offsets[end])
        starts = offsets[begin : end + 1] - offsets[begin]
        made = _profiles(rows[part], times[part], starts, items, job)
        found += zip(users[begin:end], made, strict=True)
        begin = end
    return found, counts


def _profiles(rows, times, offsets, items: ItemVectors, job: Job) -> list[Profile]:
    # An item that many acted on is read once.
    distinct, which = np.unique(rows, return_inverse=True)
    points = items.unit(distinct)[which]
    clusters = cluster_users(points, offsets, (job.now - times) / DAY, job.settings)
    # A point's cluster among those of all users.
    label = clusters.label + np.repeat(clusters.starts[:-1], np.diff(offsets))
    newest = np.full(len(clusters.size), -np.inf)
    np.maximum.at(newest, label, times)
    count = np.diff(clusters.starts)
    medoid = rows[clusters.medoid + np.repeat(offsets[:-1], count)]
    return [
        Profile(
            job.now,
            tuple(items.ids[row] for row in medoid[a:b]),
            clusters.importance[a:b],
            clusters.size[a:b],
            newest[a:b],
            clusters.center[a:b],
        )
        for a, b in zip(clusters.starts[:-1], clusters.starts[1:], strict=True)
    ]
