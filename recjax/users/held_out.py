"""Events that are held out: what each user did after a moment, to be found before it.

Some users choose settings ("validation"), others are reported ("test"); what counts are
learned from is what all users did before their moment.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from recjax.data.cooccurrence import Cooccurrence
from recjax.data.dataset import Corpus, Queries
from recjax.data.events import Events, Histories
from recjax.errors import UserError
from recjax.index.item_vectors import ItemVectors
from recjax.metrics.task import RankingTask
from recjax.seconds import DAY
from recjax.users.shard import Job, select

SYMMETRIC = Cooccurrence(
    gap_power=0.0, backward=1.0, source_power=0.5, target_power=0.5
)
"""The cosine of who met what: of which one vector an item can be made."""
SPLITS = ("validation", "test")


@dataclass(frozen=True)
class Parting:
    """Which events are held out, and what is asked.

    Attributes:
      after: unix seconds of every user's moment; None: each user's own, from which on
        the newest `share` of the events are.
      share: of a user's events.
      window: days before the moment that count as history.
      most: newest actions of a user that count.
      users: of each of validation and test, at most.
      known: ask for items that the user met before, too.
    """

    after: float | None = None
    share: float = 0.2
    window: float = 90.0
    most: int = 1_000
    users: int = 1_000
    known: bool = False

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
          UserError: a setting is out of range.
        """
        if not 0 < self.share < 1 or not self.window > 0:
            raise UserError(
                f"--share {self.share} must lie in 0..1, --window {self.window} above 0"
            )
        if min(self.most, self.users) < 1:
            raise UserError(f"--most {self.most}, --users {self.users}: at least 1")


@dataclass(frozen=True)
class Asked:
    """What is asked of one user.

    Attributes:
      user: its number.
      start: where its history begins in the log.
      stop: where it ends.
      when: unix seconds of the moment.
      found: distinct items that are to be found.
      seen: distinct items that the user has met, and that are not to be found.
    """

    user: int
    start: int
    stop: int
    when: float
    found: np.ndarray
    seen: np.ndarray


@dataclass(frozen=True)
class HeldOut:
    """Events with a part held out: has queries and events, as data sets do.

    Attributes:
      log: all events on items that have vectors, by user and time.
      train: whether each was before its user's moment, bool[E].
      items: their vectors.
      names: id of each user.
      asked: split -> its queries.
      counts: of events and users, and why some are left out.
    """

    log: Events
    train: np.ndarray
    items: ItemVectors
    names: tuple[str, ...]
    asked: Mapping[str, tuple[Asked, ...]]
    counts: Mapping[str, int] = field(default_factory=dict)
    tasks: tuple[str, ...] = ("",)

    @property
    def corpora(self) -> Mapping[str, Corpus]:
        """The items."""
        return {"item": Corpus(self.items.ids, self.items.titles, {})}

    def training_items(self, corpus: str = "item") -> np.ndarray:
        """Returns the item of each event before its user's moment."""
        del corpus
        return self.log.item[self.train]

    def queries(self, split: str, task: str = "") -> Queries:
        """Returns one query a user of "validation" or "test"."""
        del task
        asked = self.asked[split]
        task_ = RankingTask.from_lists(
            len(self.items.ids),
            [one.found.tolist() for one in asked],
            exclude=[one.seen.tolist() for one in asked],
        )
        columns = [(one.start, one.stop, one.user) for one in asked]
        start, stop, user = np.array(columns, np.int64).reshape(-1, 3).T
        when = np.array([one.when for one in asked])
        log = self.log
        history = Histories(log.item, start, stop, log.timestamp, when)
        return Queries({}, task_, history=history, user=user)


def hold_out(
    events: pl.DataFrame, items: ItemVectors | None, parting: Parting, width: int = 64
) -> HeldOut:
    """Parts events.

    Args:
      events: user, item, timestamp; see `read_events`.
      items: vectors; None to make them of the events that are not held out, as singular
        vectors of which items the same users met.
      parting: which are held out.
      width: of vectors that are made.

    Raises:
      UserError: no user is left to choose with or to report.
    """
    known = items
    if known is None:
        ids = tuple(events["item"].unique().sort())
        known = ItemVectors(ids, ("",) * len(ids), np.zeros((len(ids), 1), np.float32))
    last = float(events["timestamp"].to_numpy().max(initial=0))
    # All that have a vector: windows are each user's own.
    kept, counts = select(events, known, Job(last, window=1e6, most=1 << 40))
    if not len(kept):
        raise UserError(f"no event is left: {counts}; are these ids of one catalogue?")
    names, user = np.unique(kept["user"].to_numpy(), return_inverse=True)
    columns = user, kept["row"].to_numpy(), kept["timestamp"].to_numpy()
    log = Events(*columns, len(known.ids))
    bounds = np.searchsorted(user, np.arange(len(names) + 1))
    when = _moments(log, bounds, parting)
    train = log.timestamp < when[user]
    if items is None:
        source, target = SYMMETRIC.vectors(log.where(train), width)
        made = (source + target).astype(np.float32)
        known = ItemVectors(known.ids, known.titles, made)
    asked: dict[str, list[Asked]] = {name: [] for name in SPLITS}
    for split, one in _asked(log, bounds, when, names, parting):
        if len(asked[split]) < parting.users:
            asked[split].append(one)
    counts = {
        **counts,
        "held_out": int((~train).sum()),
        **{f"{name}_users": len(some) for name, some in asked.items()},
    }
    for name, some in asked.items():
        if not some:
            raise UserError(
                f"no user for {name}: {counts}; users are wanted who did something "
                f"within {parting.window:g} days before their moment, and something "
                "new after it: see --after, --window and --known"
            )
    done = {name: tuple(some) for name, some in asked.items()}
    return HeldOut(log, train, known, tuple(names.tolist()), done, counts)


def _moments(log: Events, bounds: np.ndarray, parting: Parting) -> np.ndarray:
    if parting.after is not None:
        return np.full(len(bounds) - 1, parting.after)
    size = np.diff(bounds)
    later = np.minimum(np.floor((1 - parting.share) * size + 1e-9), size - 1)
    return log.timestamp[bounds[:-1] + later.astype(np.int64)]


def _asked(
    log: Events,
    bounds: np.ndarray,
    when: np.ndarray,
    names: np.ndarray,
    parting: Parting,
) -> Iterator[tuple[str, Asked]]:
    """Yields users in an order that says nothing of them, with their split."""
    hashed = [zlib.crc32(name.encode()) for name in names.tolist()]
    for user in np.argsort(hashed, kind="stable").tolist():
        begin, end = bounds[user], bounds[user + 1]
        times = log.timestamp[begin:end]
        ends = [when[user] - parting.window * DAY, when[user]]
        first, stop = (begin + np.searchsorted(times, ends)).tolist()
        start = max(first, stop - parting.most)
        seen, found = np.unique(log.item[begin:stop]), np.unique(log.item[stop:end])
        if parting.known:
            seen = seen[:0]
        found = np.setdiff1d(found, seen)
        if start < stop and len(found):
            one = Asked(user, start, stop, float(when[user]), found, seen)
            yield SPLITS[hashed[user] % 2], one


def facts(data: HeldOut) -> dict[str, Any]:
    """Returns what a person wants to know of them."""
    items = [len(one.found) for one in data.asked["test"]]
    return {
        **data.counts,
        "items": len(data.items.ids),
        "to_find_a_user": round(float(np.mean(items)), 1),
    }
