"""Recall of parts of the judged items: those without a title, of rare queries, ..."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from recjax.metrics.mean import Mean
from recjax.metrics.task import RankingTask

BETWEEN = ":"
"""Stands between the name of a cohort and that of its figure."""


def cohort_recall(
    task: RankingTask,
    rank: np.ndarray,
    cohorts: Mapping[str, np.ndarray],
    ks: Sequence[int],
    name: str = "recall",
) -> dict[str, float]:
    """Returns "COHORT:pairs" and "COHORT:recall@K" of each cohort's positive pairs.

    A cohort without positive pairs has no recall, and says so: its `pairs` are 0.

    Args:
      task: the judged items.
      rank: rank of each judged item [P].
      cohorts: name -> which judged items belong to it, bool [P].
      ks: lengths of the lists that are judged.
      name: what the figure is called.

    Raises:
      ValueError: a cohort is no mask over the judged items.
    """
    found = {}
    for cohort, mask in cohorts.items():
        if mask.shape != rank.shape or mask.dtype != np.bool_:
            raise ValueError(
                f"cohort {cohort!r} is {mask.dtype}{list(mask.shape)}, expected "
                f"bool{list(rank.shape)}: one answer for each judged item"
            )
        mine = rank[mask & task.positive]
        found[f"{cohort}{BETWEEN}pairs"] = float(len(mine))
        for k in ks if len(mine) else ():
            found[f"{cohort}{BETWEEN}{name}@{k}"] = Mean.of(mine <= k).value
    return found
