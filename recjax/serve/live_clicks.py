"""Recent popularity, kept while events come in: `RecentPopularity` online."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import sparse

from recjax.data.sessions import recent_popularity as recent
from recjax.data.sessions.pair_features import PairContext, PairValues
from recjax.errors import UserError

NEVER = np.iinfo(np.int64).max


class LiveClicks:
    """The clicks of the longest window, and each item's first click.

    Time goes forward: a click that comes late counts at the newest time that was seen.
    A click costs the same whatever the number of items, an answer what windows hold.
    """

    def __init__(self, settings: recent.RecentPopularity, first: np.ndarray) -> None:
        """Starts without clicks.

        Args:
          settings: the windows.
          first: time of each item's first click, i64[N]; `NEVER` where none is known.
        """
        self.settings = settings
        self.size, self.reach = settings.size, 0
        self._first = np.array(first, np.int64)
        self._when, self._item = np.zeros(16, np.int64), np.zeros(16, np.int32)
        self._held = 0

    def feed(self, item: int, when: int | None) -> None:
        """Takes one click on item `item` (from 0).

        Raises:
          UserError: the time is not given.
        """
        if when is None:
            raise UserError(
                "this model reads what everybody clicked on just before "
                "(RecentPopularity): give events a timestamp"
            )
        if self._held:
            when = max(when, int(self._when[self._held - 1]))
        if self._held == len(self._when):
            self._drop(when)
        self._when[self._held], self._item[self._held] = when, item
        self._held += 1
        self._first[item] = min(self._first[item], when)

    def at(self, context: PairContext) -> tuple[sparse.csr_array, ...]:
        """Returns the features of all items, f32[Q, N].

        A moment without a time is that of the newest click.
        """
        when, shape = self._when[: self._held], (len(context), len(self._first))
        asked = np.where(context.when < 0, when.max(initial=0), context.when)
        counts = []
        for window in self.settings.windows:
            end = asked // window.step * window.step
            low, high = (np.searchsorted(when, t) for t in (end - window.seconds, end))
            rows = [
                np.bincount(self._item[first:stop], minlength=shape[1])
                for first, stop in zip(low, high, strict=True)
            ]
            counts.append(sparse.csr_array(np.array(rows, np.float32)))
        return recent.click_features(counts, self._first, asked, self.settings.scale)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """What is held, for a file."""
        when, item = self._when[: self._held], self._item[: self._held]
        return {"when": when, "item": item, "first": self._first}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Takes what `arrays` gave; what is held now is gone.

        Raises:
          UserError: they are of other items.
        """
        if arrays["first"].shape != self._first.shape:
            raise UserError(
                f"clicks on {len(arrays['first'])} items, this model has "
                f"{len(self._first)}: the states are of another model"
            )
        self._when, self._item = arrays["when"], arrays["item"]
        self._first, self._held = arrays["first"], len(arrays["when"])

    def _drop(self, now: int) -> None:
        """Forgets clicks that no window holds any more, and makes room."""
        longest = max(one.seconds + one.step for one in self.settings.windows)
        keep = slice(int(np.searchsorted(self._when, now - longest)), self._held)
        kept, room = self._held - keep.start, max(16, 2 * (self._held - keep.start))
        when, item = np.zeros(room, np.int64), np.zeros(room, np.int32)
        when[:kept], item[:kept] = self._when[keep], self._item[keep]
        self._when, self._item, self._held = when, item, kept


def live(values: PairValues | recent.RecentPopularityValues) -> PairValues:
    """Returns the values as a server keeps them."""
    if isinstance(values, recent.RecentPopularityValues):
        return LiveClicks(values.settings, values.first)
    return values
