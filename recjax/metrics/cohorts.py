"""Metrics of parts of the judged items and of the users, and other means.

| name            | mean over                                                        |
|-----------------|------------------------------------------------------------------|
| `COHORT:...`    | judged pairs of a cohort: those without a title, of rare queries |
| `non_first/...` | queries that are not for the first event of their session        |
| `first/...`     | queries that are                                                 |
| `by_user/...`   | users, of each one's mean over queries                           |
| `by_batch/...`  | batches of 32 users, of the mean over their users: HierTCN's     |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from recjax.metrics.mean import Mean
from recjax.metrics.task import RankingTask

BETWEEN = ":"
"""Stands between the name of a cohort and that of its figure."""
BATCH = 32
"""Users of one batch of HierTCN's evaluation."""


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


def user_metrics(
    task: RankingTask,
    rank: np.ndarray,
    user: np.ndarray,
    ks: Sequence[int],
    first: np.ndarray | None = None,
) -> dict[str, float]:
    """Returns recall@K, mrr and mrp by user, by batch of users, and by `first`.

    Args:
      task: judges one item a query.
      rank: from 1, of that item [Q].
      user: of each query [Q].
      ks: lengths of the lists that are judged.
      first: whether a query is for the first event of a session [Q]; None where there
        are no sessions.

    Raises:
      ValueError: ranks of other queries.
    """
    if not len(rank) == len(task) == len(user):
        raise ValueError(f"{len(rank)} ranks of {len(task)} queries, one item each")
    rank = np.asarray(rank, np.float64)
    values = {f"recall@{k}": (rank <= k).astype(np.float64) for k in ks}
    values |= {"mrr": 1 / rank, "mrp": rank / task.pool}
    _, user, count = np.unique(user, return_inverse=True, return_counts=True)
    masks = {} if first is None else {"non_first": ~first, "first": first}
    out: dict[str, float] = {}
    for name, value in values.items():
        out |= {f"{part}/{name}": Mean.of(value[m]).value for part, m in masks.items()}
        of_user = np.bincount(user, value) / count
        out[f"by_user/{name}"] = Mean.of(of_user).value
        parts = np.split(of_user, range(BATCH, len(of_user), BATCH))
        of_batch = np.array([part.mean() for part in parts if len(part)])
        out[f"by_batch/{name}"] = Mean.of(of_batch).value
    return out
