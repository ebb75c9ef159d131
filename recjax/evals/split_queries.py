"""Which queries of a data set's splits an evaluation asks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from recjax.data.dataset import Queries
from recjax.data.events import hide_seen
from recjax.errors import UserError
from recjax.metrics.ranking import check_metric

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SplitQueries:
    """A task of a data set, and what its queries rank.

    Attributes:
      task: one of the data set's.
      hide_seen: whether what a query's user met before is left out; None for what the
        data does.
    """

    task: str = ""
    hide_seen: bool | None = None

    def of(
        self, data: Any, split: str, most: int | None = None, draw: int | None = None
    ) -> Queries:
        """Returns the queries of a split.

        Args:
          data: has queries.
          split: "train", "validation" or "test".
          most: of more, so many are taken, evenly spread; None takes all.
          draw: draws those at random instead.

        Raises:
          UserError: what was seen is to be hidden or not, and no history is known.
        """
        queries = data.queries(split, self.task)
        queries = queries if most is None else queries.at_most(most, draw)
        if self.hide_seen is None:
            return queries
        if queries.history is None:
            raise UserError(
                "hide_seen needs queries with histories; this data has none"
            )
        task = hide_seen(queries.task, queries.history)
        if not self.hide_seen:
            task = replace(
                task, exclude_offsets=0 * task.offsets, exclude=task.exclude[:0]
            )
        return replace(queries, task=task)

    def check_choice(self, data: Any, splits: Sequence[str], metric: str) -> None:
        """Checks that settings can be chosen by a metric on splits.

        Raises:
          UserError: no such metric, or a split has no query with a positive.
        """
        check_metric(metric)
        fit = getattr(getattr(data, "settings", None), "fit", ())
        if both := [split for split in splits if split in fit and split != "train"]:
            log.warning(
                "what is chosen on %s is chosen too well: data.fit = %s trains on it",
                *(" and ".join(both), fit),
            )
        for split in splits:
            if not data.queries(split, self.task).task.positive.any():
                raise UserError(
                    f"the split {split!r} has no query with a positive to choose on"
                )
