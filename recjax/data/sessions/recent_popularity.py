"""Pair features: what does everybody click on just now? News is decided by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from recjax.data.sessions.pair_features import PairContext
from recjax.data.sessions.read import Sessions
from recjax.errors import UserError
from recjax.seconds import DAY, HOUR


@dataclass(frozen=True)
class Window:
    """Clicks of everybody in a stretch of time before a moment.

    Attributes:
      seconds: length.
      step: the window ends at the last whole multiple of so many seconds, which is
        before the moment, or at it: windows are counted once a step, not once a moment.
    """

    seconds: int
    step: int

    def __post_init__(self) -> None:
        """Checks the lengths.

        Raises:
          ValueError: the step does not divide the window.
        """
        if self.step < 1 or self.seconds < 1 or self.seconds % self.step:
            raise ValueError(f"{self}: step must divide seconds")


@dataclass(frozen=True)
class RecentPopularity:
    """log(1 + clicks / scale) of each window, and log hours since the first click.

    The age is given of items that the last window holds. What anybody did before a
    moment is known at that moment: clicks of all users and splits count.

    Attributes:
      windows: from the shortest to the longest.
      scale: clicks at which a feature is log 2.
    """

    windows: tuple[Window, ...] = (
        Window(600, 60),
        Window(HOUR, 300),
        Window(DAY, HOUR),
    )
    scale: float = 0.1

    @property
    def size(self) -> int:
        """Number of features."""
        return len(self.windows) + 1

    def open(self, sessions: Sessions, train: np.ndarray) -> RecentPopularityValues:
        """Counts all clicks by time.

        Raises:
          UserError: the data has no times.
        """
        del train
        if not sessions.timed:
            raise UserError("RecentPopularity needs timestamps; this data has none")
        when, item = np.asarray(sessions.timestamp), np.asarray(sessions.item)
        size = len(sessions.item_ids)
        first = np.full(size, np.iinfo(np.int64).max)
        np.minimum.at(first, item, when)
        counted = [count_window(when, item, size, one) for one in self.windows]
        base, counts = zip(*counted, strict=True)
        return RecentPopularityValues(self, base, counts, first)


@dataclass(frozen=True)
class RecentPopularityValues:
    """`RecentPopularity`, opened.

    Attributes:
      settings: the settings.
      base: of each window, the number of the step that its row 0 is of.
      counts: of each window, clicks before the start of every step, f32[steps, N].
      first: time of each item's first click, i64[N].
    """

    settings: RecentPopularity
    base: tuple[int, ...]
    counts: tuple[sparse.csr_array, ...]
    first: np.ndarray
    reach = 0

    @property
    def size(self) -> int:
        """Number of features."""
        return self.settings.size

    def at(self, context: PairContext) -> tuple[sparse.csr_array, ...]:
        """Returns the features of all items, f32[Q, N]."""
        known = zip(self.settings.windows, self.base, self.counts, strict=True)
        found = [
            counts[context.when // window.step - base] for window, base, counts in known
        ]
        return click_features(found, self.first, context.when, self.settings.scale)


def click_features(
    counts: list[sparse.csr_array], first: np.ndarray, when: np.ndarray, scale: float
) -> tuple[sparse.csr_array, ...]:
    """Returns the features of `RecentPopularity`, f32[Q, N].

    Args:
      counts: of each window, clicks on each item [Q, N]; the age is of the last.
      first: time of each item's first click, i64[N].
      when: the context, i64[Q].
      scale: as of `RecentPopularity`.
    """
    row = np.repeat(np.arange(len(when)), np.diff(counts[-1].indptr))
    hours = (when[row] - first[counts[-1].indices]) / HOUR
    values = [np.log1p(one.data / scale) for one in counts]
    counts, values = [*counts, counts[-1]], [*values, np.log1p(hours)]
    return tuple(
        sparse.csr_array((value.astype(np.float32), one.indices, one.indptr), one.shape)
        for value, one in zip(values, counts, strict=True)
    )


def count_window(
    when: np.ndarray, item: np.ndarray, size: int, window: Window
) -> tuple[int, sparse.csr_array]:
    """Counts the clicks of a window before the start of every step of the data's time.

    Args:
      when: unix seconds, i64[E].
      item: i32[E].
      size: `N`.
      window: the window.

    Returns:
      The number of the first step, and f32[steps, N].
    """
    step, wide = when // window.step, window.seconds // window.step
    base, steps = int(step.min()), int(step.max() - step.min()) + 1
    ones = np.ones(len(when), np.float32)
    clicks = sparse.csr_array((ones, (step - base, item)), shape=(steps, size))
    # Row s sums steps s - wide to s - 1: the step that goes on is not known yet.
    before = sparse.diags_array(
        np.ones((wide, steps), np.float32),
        offsets=-np.arange(1, wide + 1),
        shape=(steps, steps),
    )
    counted = sparse.csr_array(before.tocsr() @ clicks)
    counted.sort_indices()
    return base, counted
