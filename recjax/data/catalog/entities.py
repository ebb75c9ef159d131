"""A catalogue in memory: pairs, and the columns of what can be found.

Every feature is ragged and may be absent: an entity without a text has an empty one, an
entity without a vector has none of them. Large columns stay on disk, memory-mapped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from recjax.tables.typed import Table
from recjax.text.column import Texts


@dataclass(frozen=True)
class Vectors:
    """The vectors of `N` entities, any number each: one an image of a product.

    Attributes:
      values: [M, D] all vectors; float32, or uint8 whose bits are the features.
      offsets: i64[N + 1]: entity `i` has `values[offsets[i]:offsets[i + 1]]`.
    """

    values: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        """Returns `N`."""
        return len(self.offsets) - 1

    @property
    def width(self) -> int:
        """`D`: numbers, or bytes, of a vector."""
        return self.values.shape[1]

    @property
    def present(self) -> np.ndarray:
        """bool[N]: whether there is any vector."""
        return np.diff(self.offsets) > 0

    def take(self, indices: np.ndarray, limit: int = 1) -> tuple[np.ndarray, ...]:
        """Returns the first `limit` vectors of each entity, and which of them exist.

        Args:
          indices: i32[B] entities.
          limit: images `I` an entity.

        Returns:
          values [B, I, D], zero where there is none, and mask bool[B, I].
        """
        starts = self.offsets[indices]
        counts = np.minimum(self.offsets[np.asarray(indices) + 1] - starts, limit)
        mask = np.arange(limit) < counts[:, None]
        found = np.zeros((*mask.shape, self.width), self.values.dtype)
        found[mask] = self.values[(starts[:, None] + np.arange(limit))[mask]]
        return found, mask


@dataclass(frozen=True)
class Entities:
    """A table of one kind, such as products; an entity's position is its index.

    Attributes:
      ids: the user's ids.
      texts: field -> texts; only fields that the file has.
      dense: feature -> vectors; only features that the file has.
      created: i64[N], unix seconds; None where the file does not say.
    """

    ids: Texts
    texts: Mapping[str, Texts]
    dense: Mapping[str, Vectors]
    created: np.ndarray | None = None

    def __len__(self) -> int:
        """Returns the number of entities."""
        return len(self.ids)

    def vectors(self, name: str, width: int, dtype: np.dtype) -> Vectors:
        """Returns a dense feature; without any vector where the file lacks it."""
        none = Vectors(np.zeros((0, width), dtype), np.zeros(len(self) + 1, np.int64))
        return self.dense.get(name, none)


@dataclass(frozen=True)
class Pairs:
    """`P` engagements in the order of their file.

    Attributes:
      query: i32[P], index into the catalogue's queries.
      candidate: i32[P], index into the entities of its type, or into the queries.
      candidate_type: i32[P], index into the catalogue's kinds.
      action: i32[P], index into the catalogue's actions.
      timestamp: i64[P], unix seconds; 0 where the source has none.
      split: i8[P], as a column `split` says; None without one.
    """

    query: np.ndarray
    candidate: np.ndarray
    candidate_type: np.ndarray
    action: np.ndarray
    timestamp: np.ndarray
    split: np.ndarray | None = None


@dataclass(frozen=True)
class Catalog:
    """All of a catalogue.

    Attributes:
      queries: distinct query texts, of both sides of a pair.
      actions: distinct actions, such as "save".
      kinds: of candidates: the entities by name, and "query".
      pairs: who engaged with what.
      entities: kind -> its table, of all but queries.
      tables: "query" and each kind -> all columns of the prepared table.
    """

    queries: Texts
    actions: tuple[str, ...]
    kinds: tuple[str, ...]
    pairs: Pairs
    entities: Mapping[str, Entities]
    tables: Mapping[str, Table] = field(default_factory=dict)


def unpack_bits(codes: np.ndarray) -> np.ndarray:
    """Returns f32[..., 8 * D]: the bits of u8[..., D], most significant first."""
    return np.unpackbits(codes, axis=-1).astype(np.float32)
