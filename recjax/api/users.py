"""PinnerSage from Python: the interests of users, as clusters of what they met."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from recjax.api import arguments
from recjax.bundle.open import OpenBundle, open_bundle
from recjax.errors import UserError
from recjax.seconds import DAY
from recjax.tables.result import Options
from recjax.users.cluster import cluster_users as clusters_of
from recjax.users.dendrogram import Tree
from recjax.users.settings import Settings
from recjax.users.shard import read_events
from recjax.users.ward import ward as ward_tree


def cluster_users(
    events: Any,
    vectors: Mapping[str, np.ndarray] | OpenBundle | str | Path,
    *,
    alpha: float | None = None,
    decay: float | None = None,
    unit: str | None = None,
) -> pl.DataFrame:
    """Clusters what each user met, by Ward's rule; each cluster has its medoid.

    Args:
      events: user, item, timestamp: a file, a folder or a frame.
      vectors: item id -> vector of length 1 [D], or a bundle, or its folder.
      alpha: largest height of a merge, of unit vectors at cosine c 2 (1 - c); larger:
        fewer clusters. None: 1.
      decay: how fast importance falls, per day. None: 0.01, half after 69 days.
      unit: of timestamps that are numbers: s, ms, us or ns.

    Returns:
      A row a cluster, the most important of a user first: user, medoid (an item id),
      importance, items (ids, the oldest first).

    Raises:
      UserError: a table, an item or an argument is wrong.

    Example:
      >>> rj.cluster_users(**rj.testing.users())  # doctest: +SKIP
    """
    with arguments.in_python():
        known, rows = _vectors(vectors)
        settings = _settings(alpha, decay)
        log = _events(events, unit, known)
        users, start = np.unique(log["user"].to_numpy(), return_index=True)
        offsets = np.append(start, len(log)).astype(np.int64)
        places = np.array([known[one] for one in log["item"]], np.int64)
        when = log["timestamp"].to_numpy()
        age = (when.max() - when) / DAY if len(when) else when
        found = clusters_of(rows[places], offsets, age, settings)
        return _frame(users, log["item"].to_list(), offsets, found)


def ward(points: np.ndarray) -> Tree:
    """Returns the dendrogram of points by Ward's rule.

    Args:
      points: finite numbers [N, D].

    Raises:
      UserError: they are no such array.

    Example:
      >>> tree = rj.ward([[0.0, 0.0], [0.0, 1.0], [5.0, 5.0]])  # doctest: +SKIP
    """
    try:
        array = np.asarray(points, np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f"points: expected numbers [N, D]: {error}") from error
    if array.ndim != 2 or not array.size:
        raise UserError(
            f"points: expected an array [N, D], not one of shape {list(array.shape)}"
        )
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(1))[0])
        raise UserError(f"points: row {row} holds NaN or infinity; leave it out")
    return ward_tree(array)


def _vectors(
    given: Mapping[str, np.ndarray] | OpenBundle | str | Path,
) -> tuple[dict[str, int], np.ndarray]:
    """Returns id -> row, and unit vectors f32[N, D]."""
    if isinstance(given, str | os.PathLike):
        given = open_bundle(arguments.path("vectors", given))
    if isinstance(given, OpenBundle):
        items = given.items
        return items.rows, items.unit(np.arange(len(items.ids)))
    if not isinstance(given, Mapping) or not given:
        raise UserError(
            "vectors: expected a mapping of item ids to vectors, a bundle, or its "
            f"folder, not a {type(given).__name__}"
        )
    try:
        rows = np.array(list(given.values()), np.float32)
    except (TypeError, ValueError) as error:
        raise UserError(f"vectors: they must be of one width: {error}") from error
    if rows.ndim != 2:
        raise UserError(f"vectors: expected [D] each, not {list(rows.shape[1:])}")
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    wrong = np.flatnonzero(~((length[:, 0] > 0) & np.isfinite(length[:, 0])))
    if len(wrong):
        name = list(given)[wrong[0]]
        raise UserError(f"vectors: that of {name!r} is zero, NaN or infinite")
    return {str(id): row for row, id in enumerate(given)}, rows / length


def _settings(alpha: float | None, decay: float | None) -> Settings:
    for name, value in (("alpha", alpha), ("decay", decay)):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise UserError(f"{name}={value!r}: expected a number of at least 0")
    usual = Settings()
    return replace(
        usual,
        alpha=usual.alpha if alpha is None else float(alpha),
        decay=usual.decay if decay is None else float(decay),
    )


def _events(given: Any, unit: str | None, known: Mapping[str, int]) -> pl.DataFrame:
    """Returns the events of items that have vectors, by user and time."""
    if unit not in (None, "s", "ms", "us", "ns"):
        raise UserError(f"unit={unit!r}: must be 's', 'ms', 'us' or 'ns'")
    every = read_events(arguments.table("events", given), Options(unit=unit))
    log = every.filter(pl.col("item").is_in(list(known)))
    if left := len(every) - len(log):
        told = left, len(every)
        logging.getLogger(__name__).warning(
            "%d of %d events are left out: their items have no vector", *told
        )
    if not len(log):
        raise UserError(
            "events: no item of the events has a vector: the two are of other data, or "
            "their ids are written differently"
        )
    return log.sort("user", "timestamp", maintain_order=True)


def _frame(
    users: np.ndarray, items: list[str], offsets: np.ndarray, found: Any
) -> pl.DataFrame:
    rows = []
    for number, user in enumerate(users):
        begin, end = offsets[number : number + 2]
        label = found.label[begin:end]
        first, last = found.starts[number : number + 2]
        for at in range(first, last):
            inside = np.flatnonzero(label == at - first) + begin
            met = [items[i] for i in inside]
            medoid = items[begin + found.medoid[at]]
            rows.append((str(user), medoid, float(found.importance[at]), met))
    names = ["user", "medoid", "importance", "items"]
    made = pl.DataFrame(rows, schema=names, orient="row")
    return made.sort("user", "importance", descending=[False, True])
