"""Item vectors that training leaves as they are: from a folder, or from the events.

A batch carries the vectors of its own items, read from one array that all processes of
a host map, so that the accelerator holds none besides (HierTCN's item embedding cache).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recjax.data.cooccurrence import Cooccurrence
from recjax.data.events import Events
from recjax.data.sessions.read import Sessions
from recjax.errors import UserError
from recjax.index.item_vectors import ItemVectors
from recjax.typing import Array, Bool, Float, Int

SHOWN_IDS = 5


@dataclass(frozen=True)
class FixedVectors:
    """The vectors of the `N` items of a data set; a corpus column.

    Attributes:
      known: all vectors, of these items and perhaps of more.
      row: of each item's vector in them, i64[N].
      fitted: what tells what they were made of from other things.
    """

    known: ItemVectors
    row: np.ndarray
    fitted: str = ""

    @property
    def width(self) -> int:
        """`D`."""
        return self.known.vectors.shape[1]

    def __len__(self) -> int:
        """Returns `N`."""
        return len(self.row)

    def __getitem__(self, items: slice | np.ndarray) -> Float[Array, "... D"]:
        """Returns the vectors of items, float32.

        Raises:
          UserError: one holds NaN or infinity.
        """
        row = self.row[items]
        found = np.asarray(self.known.vectors[row], np.float32)
        if not np.isfinite(found).all():
            bad = row[~np.isfinite(found).all(-1)].flat[0]
            raise UserError(
                f"{self.known.place}, row {bad} (item {self.known.ids[bad]!r}): holds "
                "NaN or infinity; write a number, or zeros for an item without vector"
            )
        return found

    def of_ids(self, ids: Int[Array, ...]) -> Float[Array, "... D"]:
        """Returns the vectors of ids from 1; id 0 is nothing and has zeros."""
        return self[np.maximum(ids, 1) - 1] * (ids > 0)[..., None]


@dataclass(frozen=True)
class VectorsFrom:
    """Vectors of a folder: `vectors.npy` and `items.jsonl`, as bundles hold them.

    Attributes:
      folder: the folder; it may hold other items as well, in any order.
    """

    folder: str

    def open(self, sessions: Sessions, train: Bool[Array, " E"]) -> FixedVectors:
        """Opens the folder, mapped into memory and not read.

        Args:
          sessions: all sessions.
          train: whether an event may be learned from.

        Raises:
          UserError: it cannot be opened, or an item has no vector.
        """
        del train
        known = ItemVectors.open(Path(self.folder))
        missing = [name for name in sessions.item_ids if name not in known.rows]
        if missing:
            some = ", ".join(map(repr, missing[:SHOWN_IDS]))
            raise UserError(
                f"{self.folder}/items.jsonl: {len(missing)} of "
                f"{len(sessions.item_ids)} items have no vector ({some}); add them "
                "(zeros if nothing is known), or leave these items out of the events"
            )
        rows = [known.rows[name] for name in sessions.item_ids]
        return FixedVectors(known, np.array(rows, np.int64), known.digest)


@dataclass(frozen=True)
class VectorsFromEvents:
    """Vectors of what training users did together: co-occurrences, factorized.

    Attributes:
      width: `D`; items that stand in no training event have zeros.
      cooccurrence: what counts as together.
    """

    width: int
    cooccurrence: Cooccurrence = Cooccurrence()

    def open(self, sessions: Sessions, train: Bool[Array, " E"]) -> FixedVectors:
        """Counts the training events and factorizes the counts."""
        user = sessions.session_user[sessions.event_session]
        size = len(sessions.item_ids)
        kept = user[train], sessions.item[train], sessions.timestamp[train]
        source, target = self.cooccurrence.vectors(Events(*kept, size), self.width)
        known = ItemVectors(
            sessions.item_ids, ("",) * size, (source + target).astype(np.float32)
        )
        made_of = hashlib.sha256(b"".join(np.ascontiguousarray(c).data for c in kept))
        return FixedVectors(known, np.arange(size), made_of.hexdigest())


VectorSource = VectorsFrom | VectorsFromEvents
"""Where fixed vectors come from."""
