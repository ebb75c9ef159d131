"""What is kept of a user: clusters; and the last actions merged into them.

The batch job overrides what was merged when it next runs, as in the paper (section 4).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recjax.index.item_vectors import ItemVectors
from recjax.seconds import DAY
from recjax.users.dendrogram import cut
from recjax.users.settings import Settings
from recjax.users.ward import ward_of_clusters

RECENT = 20
"""Actions since the batch job that are merged in at most (paper, section 4)."""


@dataclass(frozen=True)
class Profile:
    """The C clusters of a user.

    Attributes:
      as_of: unix seconds, when importance was counted.
      medoid: item ids, C of them.
      importance: float64 [C].
      size: actions, int32 [C].
      newest: unix seconds of the last action, float64 [C].
      center: means of unit vectors, float32 [C, D].
    """

    as_of: float
    medoid: tuple[str, ...]
    importance: np.ndarray
    size: np.ndarray
    newest: np.ndarray
    center: np.ndarray

    def pack(self) -> bytes:
        """Returns the profile as bytes."""
        width = self.center.shape[1]
        head = {"as_of": self.as_of, "medoid": self.medoid, "width": width}
        parts = (
            self.importance.astype("<f8"),
            self.newest.astype("<f8"),
            self.size.astype("<i4"),
            self.center.astype("<f4"),
        )
        text = json.dumps(head).encode()
        body = b"".join(part.tobytes() for part in parts)
        return len(text).to_bytes(4, "little") + text + body

    @classmethod
    def unpack(cls, data: bytes) -> Profile:
        """Returns the profile that `pack` made these bytes of."""
        end = 4 + int.from_bytes(data[:4], "little")
        head = json.loads(data[4:end])
        count = len(head["medoid"])
        arrays = []
        shapes = ((count,), (count,), (count,), (count, head["width"]))
        for kind, shape in zip(("<f8", "<f8", "<i4", "<f4"), shapes, strict=True):
            array = np.frombuffer(data, kind, int(np.prod(shape)), end)
            arrays.append(array.reshape(shape))
            end += array.nbytes
        importance, newest, size, center = arrays
        medoid = tuple(head["medoid"])
        return cls(head["as_of"], medoid, importance, size, newest, center)


def empty(width: int, as_of: float = 0.0) -> Profile:
    """Returns the profile of a user who did nothing yet."""
    none = np.zeros(0)
    size, center = none.astype(np.int32), np.zeros((0, width), np.float32)
    return Profile(as_of, (), none, size, none, center)


def update(
    profile: Profile,
    items: Sequence[str],
    times: Sequence[float],
    now: float,
    vectors: ItemVectors,
    settings: Settings,
) -> Profile:
    """Returns the profile with the last actions in it.

    Ward's rule goes on from the clusters of the profile and the new actions as clusters
    of one. That is what a run on all actions gives wherever the new ones would not have
    split or joined parts of old clusters; the cost depends on C alone. The medoid of a
    cluster that grew is the nearest to its mean among old medoids and new actions.

    Args:
      profile: what the batch job left.
      items: ids of actions, in any order; unknown ones and all but the newest `RECENT`
        are left out, as are those up to `profile.as_of`, which it holds already, and
        those after `now`.
      times: unix seconds of each.
      now: unix seconds, not before `profile.as_of`.
      vectors: of the items.
      settings: those of the batch job.
    """
    known = [
        (time, id)
        for id, time in dict.fromkeys(zip(items, times, strict=True))
        if id in vectors.rows and profile.as_of < time <= now
    ]
    new = sorted(known)[-RECENT:]
    passed = max(now - profile.as_of, 0) / DAY
    if not profile.medoid and not new:
        return profile
    time = np.array([time for time, _ in new])
    points = vectors.unit([vectors.rows[id] for _, id in new])
    center = np.concatenate([profile.center, points])
    size = np.concatenate([profile.size, np.ones(len(new), np.int32)])
    weight = np.concatenate(
        [
            profile.importance * np.exp(-settings.decay * passed),
            np.exp(-settings.decay * (now - time) / DAY),
        ]
    )
    newest = np.concatenate([profile.newest, time])
    ids = (*profile.medoid, *(id for _, id in new))
    if not new:
        return Profile(now, ids, weight, size, newest, center)
    label = cut(ward_of_clusters(center, size), settings.alpha, settings.cap)
    count = int(label.max()) + 1
    total = np.zeros((count, center.shape[1]))
    np.add.at(total, label, center.astype(np.float64) * size[:, None])
    sizes = np.bincount(label, size, count)
    latest = np.full(count, -np.inf)
    np.maximum.at(latest, label, newest)
    mean = total / sizes[:, None]
    stand = np.zeros(count, np.int64)
    shared = np.bincount(label, minlength=count) > 1
    stand[label] = np.arange(len(label))
    changed = np.flatnonzero(shared[label])
    if len(changed):
        rows = [vectors.rows.get(ids[i], -1) for i in changed]
        changed, rows = changed[np.array(rows) >= 0], [r for r in rows if r >= 0]
        far = ((vectors.unit(rows) - mean[label[changed]]) ** 2).sum(1)
        # From far to near: the last write of a cluster is its nearest.
        order = np.argsort(-far, kind="stable")
        stand[label[changed[order]]] = changed[order]
    return Profile(
        now,
        tuple(ids[i] for i in stand),
        np.bincount(label, weight, count),
        sizes.astype(np.int32),
        latest,
        mean.astype(np.float32),
    )
