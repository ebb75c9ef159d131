"""How many clusters users have at several alphas: what to choose one by."""

from __future__ import annotations

import numpy as np
import polars as pl

from recjax.errors import UserError
from recjax.index.item_vectors import ItemVectors
from recjax.users.dendrogram import cut
from recjax.users.shard import Job, select
from recjax.users.ward import ward

ALPHAS = (0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
HEAD = "alpha  cosine  clusters: mean  median  90 %  most  actions a cluster  likeness"


def report(events: pl.DataFrame, items: ItemVectors, job: Job, users: int) -> str:
    """Returns a table: a line an alpha.

    Args:
      events: see `read_events`.
      items: the catalogue.
      job: window and now.
      users: number of them to look at, the first.

    Raises:
      UserError: no event counts.
    """
    events, counts = select(events, items, job)
    if not len(events):
        why = ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
        raise UserError(f"no event is left: {why or 'events 0'}")
    own = events.group_by("user", maintain_order=True).agg("row").head(users)
    # Clusters and the lengths of their means, by alpha and user.
    clusters = np.zeros((len(ALPHAS), len(own)))
    likeness = np.zeros((len(ALPHAS), len(own)))
    for user, rows in enumerate(own["row"]):
        points = items.unit(rows.to_numpy())
        tree = ward(points)
        for i, alpha in enumerate(ALPHAS):
            label = cut(tree, alpha)
            sums = np.zeros((label.max() + 1, points.shape[1]))
            np.add.at(sums, label, points)
            clusters[i, user] = len(sums)
            likeness[i, user] = np.linalg.norm(sums, axis=1).sum()
    actions = own["row"].list.len().sum()
    lines = [f"{len(own):,} users, {actions / len(own):.1f} actions each", HEAD]
    for alpha, count, like in zip(ALPHAS, clusters, likeness, strict=True):
        lines.append(
            f"{alpha:5g}  {_cosine(alpha):>6}  {count.mean():14.1f}  "
            f"{np.median(count):6.0f}  {np.percentile(count, 90):4.0f}  "
            f"{count.max():4.0f}  {actions / count.sum():17.1f}  "
            f"{like.sum() / actions:8.3f}"
        )
    return "\n".join(lines + [ABOUT])


ABOUT = """
cosine: two items as near as this, or nearer, are one cluster.
likeness: mean cosine of an action with the mean of its cluster.
Choose the alpha at which users have as many interests as you would name: large ones
mix interests, with small ones each action is a cluster of its own."""


def _cosine(alpha: float) -> str:
    return f"{1 - alpha / 2:.2f}" if alpha <= 4 else "any"
