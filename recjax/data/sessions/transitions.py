"""Pair features: how often did the item follow what the user met last?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from recjax.data.sessions.pair_features import PAD, PairContext
from recjax.data.sessions.read import Sessions


@dataclass(frozen=True)
class Transitions:
    """log(1 + share / scale) of the transitions from the user's last items.

    A pair of events of one user, up to `steps` apart, counts 1 / distance. The share of
    an item is a mean over the last items of the transitions from there, weights falling
    by `decay` an event. A moment of the data sees the counts without its own session
    and what its user did later: else training would show the answer.

    Attributes:
      steps: events apart.
      last: newest events that are asked what follows.
      decay: weight of an event over that of the one after it.
      shrink: added to an item's number of transitions, so that few say less.
      scale: the share at which the feature is log 2.
    """

    steps: int = 5
    last: int = 4
    decay: float = 0.3
    shrink: float = 1.0
    scale: float = 1e-3
    size = 1

    def open(self, sessions: Sessions, train: np.ndarray) -> TransitionValues:
        """Counts pairs whose later event trains, bool[E]."""
        item, size = np.asarray(sessions.item), len(sessions.item_ids)
        starts = np.asarray(sessions.session_start)[sessions.user_start]
        first = np.repeat(starts[:-1], np.diff(starts))
        trained = np.flatnonzero(train)
        later, gap = np.meshgrid(trained, np.arange(1, self.steps + 1), indexing="ij")
        inside = later - gap >= first[later]
        later, gap = later[inside], gap[inside]
        weight = (1 / gap).astype(np.float32)
        source, target = item[later - gap], item[later]
        counts = sparse.csr_array((weight, (source, target)), shape=(size, size))
        total = np.bincount(source, weight, size).astype(np.float32)
        session = sessions.event_session[later]
        start = np.searchsorted(session, np.arange(len(sessions.session_start)))
        stop = start[np.repeat(sessions.user_start[1:], np.diff(sessions.user_start))]
        pairs = OwnPairs(start[:-1], stop, source, target, weight)
        return TransitionValues(self, counts, total, pairs)


@dataclass(frozen=True)
class OwnPairs:
    """What each session, and its user's later ones, added to the counts.

    Attributes:
      start, stop: pairs of session s are start[s]:stop[s], i64[S].
      source: item i32[P].
      target: item that followed i32[P].
      weight: f32[P].
    """

    start: np.ndarray
    stop: np.ndarray
    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray

    def of(self, sessions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the pairs of some sessions, and whose they are, by position."""
        start = self.start[sessions]
        count = self.stop[sessions] - start
        inside = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        pair = np.repeat(start, count) + inside
        return pair, np.repeat(np.arange(len(sessions)), count)


@dataclass(frozen=True)
class TransitionValues:
    """`Transitions`, opened.

    Attributes:
      settings: the settings.
      counts: source -> target, f32[N, N].
      total: sums of its rows, f32[N].
      pairs: what each session and its user's later ones added; None where moments
        are of no session of the data.
    """

    settings: Transitions
    counts: sparse.csr_array
    total: np.ndarray
    pairs: OwnPairs | None = None
    size = 1

    @property
    def reach(self) -> int:
        """Newest events that are asked."""
        return self.settings.last

    def at(self, context: PairContext) -> tuple[sparse.csr_array, ...]:
        """Returns the feature of all items, f32[Q, N]."""
        recent = context.recent[:, : self.reach]
        row, back = np.nonzero(recent != PAD)
        source = recent[row, back]
        total, own = self.total[source], None
        if self.pairs is not None:
            own, key, added = self._own(context, row, source)
            total = total - added
        weight = self.settings.decay**back / (total + self.settings.shrink)
        shape = len(context), len(self.total)
        asked = sparse.csr_array((weight, (row, source)), shape=shape)
        share = asked @ self.counts
        if own is not None:
            mine = sparse.csr_array(
                (weight, (row, key)), shape=(len(context), own.shape[0])
            )
            share = share - mine @ own
        share = sparse.csr_array(share).astype(np.float32)
        # What is left of a difference of equal sums is no transition.
        share.data[share.data < 1e-6] = 0
        share.eliminate_zeros()
        share.sort_indices()
        share.data = np.log1p(share.data / self.settings.scale)
        return (share,)

    def _own(
        self, context: PairContext, row: np.ndarray, source: np.ndarray
    ) -> tuple[sparse.csr_array, np.ndarray, np.ndarray]:
        """Returns what the moments' own sessions and later ones added.

        Returns:
          The counts of each (session, source) [K + 1, N], the last row empty; the row
          of each asked source; the sum of that row.
        """
        size = len(self.total)
        known = context.session != PAD
        session, of = np.unique(context.session[known], return_inverse=True)
        rank = np.full(len(context), len(session))
        rank[known] = of
        pair, owner = self.pairs.of(session)
        held = owner * np.int64(size) + self.pairs.source[pair]
        keys, at = np.unique(held, return_inverse=True)
        weight = self.pairs.weight[pair]
        added = sparse.csr_array(
            (weight, (at, self.pairs.target[pair])), shape=(len(keys) + 1, size)
        )
        wanted = rank[row] * np.int64(size) + source
        position = np.searchsorted(keys, wanted)
        found = np.append(keys, PAD)[position] == wanted
        position = np.where(found, position, len(keys))
        return added, position, np.bincount(at, weight, len(keys) + 1)[position]
