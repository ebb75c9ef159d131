"""One file of events -> the clusters of its users. Idempotent, and nothing is silent.

Events have the columns user, item and timestamp. All events of a user stand in one
file; `partition` sees to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from recjax.errors import UserError
from recjax.index.item_vectors import ItemVectors
from recjax.seconds import DAY, SECOND_NS
from recjax.tables.columns import Column
from recjax.tables.read import read
from recjax.tables.report import Findings
from recjax.tables.result import Options
from recjax.tables.typed import Table
from recjax.users.cluster import cluster_users
from recjax.users.profile import Profile
from recjax.users.settings import Settings

COLUMNS = (Column("user", "id"), Column("item", "id"), Column("timestamp", "timestamp"))


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


def read_table(
    source: str | Path | Sequence[Path], options: Options | None = None
) -> Table:
    """Returns the columns user, item and timestamp of a table of events.

    Args:
      source: CSV, TSV, JSON lines or Parquet, a folder or glob of such; of several
        files, the unit of times is decided by all of them.
      options: how it is read.

    Raises:
      UserError: the source cannot be used, or a row is bad; with all problems.
    """
    findings = Findings()
    found = read(source, COLUMNS, options or Options(), findings)
    report = findings.report()
    if found is None or not report.ok:
        raise UserError(str(report))
    return found.table


def read_events(
    source: str | Path | Sequence[Path], options: Options | None = None
) -> pl.DataFrame:
    """Returns events: text user and item, float seconds; see `read_table`."""
    table = read_table(source, options)
    seconds, rest = np.divmod(table["timestamp"].array, SECOND_NS)
    return pl.DataFrame({**ids(table), "timestamp": seconds + rest / 1e9})


def ids(table: Table) -> dict[str, pl.Series]:
    """Returns the users and items of a table of events, as text."""
    return {
        name: pl.Series(list(table[name].vocabulary)).gather(table[name].array)
        for name in ("user", "item")
    }


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
    events = without("twice", events.unique(subset=[column.name for column in COLUMNS]))
    events = events.sort("user", "timestamp", "item")
    later = pl.int_range(pl.len(), 0, -1).over("user")
    events = without("beyond_most", events.filter(later <= job.most))
    return events, counts


def profiles(
    file: Path, items: ItemVectors, job: Job, options: Options | None = None
) -> tuple[list[tuple[str, Profile]], dict[str, int]]:
    """Returns the profile of each user of a file, in order, and the counts of `select`.

    Raises:
      UserError: the file is wrong, see `read_events`; none of its items is known; or a
        vector is bad.
    """
    events, counts = select(read_events(file, options), items, job)
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
