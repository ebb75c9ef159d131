"""Which items follow which: counted from events, as a sparse matrix or as vectors.

    pairs(i, j) = sum over users and events i before j, at most `window` apart,
                  of distance ** -gap_power           (+ `backward` x pairs(j, i))
    sim(i -> j) = pairs(i, j) / (n_i + shrinkage) ** source_power
                              / (n_j + shrinkage) ** target_power

`source_power = target_power = .5`, `backward = 1`, `gap_power = 0` and a wide window is
the cosine of B. Sarwar et al., "Item-Based Collaborative Filtering Recommendation
Algorithms", WWW 2001; unequal powers are the asymmetric cosine of F. Aiolli, RecSys
2013; `backward = 0` are skip transitions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from recjax.data.events import Events

PAIRS_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Cooccurrence:
    """Settings; the defaults are the best found on validation of MovieLens-100K.

    Attributes:
      window: farthest positions between two events of a user that still pair.
      gap_power: how fast a pair's weight falls with the positions between, 0 for never.
      backward: weight of the later item leading to the earlier one, 0 to 1; events of
        the same time have no order and count both ways.
      source_power: how much the popularity of the first item is divided out.
      target_power: how much the popularity of the item that it leads to is divided out.
      shrinkage: added to both counts: distrust of rare items.
      neighbours: items that each item leads to, at most.
    """

    window: int = 50
    gap_power: float = 0.4
    backward: float = 0.5
    source_power: float = 0.7
    target_power: float = 0.5
    shrinkage: float = 5.0
    neighbours: int = 1_000

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
          ValueError: a setting is out of range.
        """
        for name in ("window", "neighbours"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}, must be above 0")
        if not 0 <= self.backward <= 1 or self.shrinkage < 0:
            raise ValueError(f"backward {self.backward}, shrinkage {self.shrinkage}")

    def similarity(
        self, events: Events, counts: EventPairs | None = None
    ) -> sparse.csr_array:
        """Returns sim(row -> column), sparse float32 [N, N].

        Args:
          events: the training events.
          counts: `count_pairs` of these events with the same window and gap power,
            where they are known already.
        """
        if counts is None:
            counts = count_pairs(events, self.window, self.gap_power)
        pairs = counts.ordered + self.backward * counts.ordered.T + counts.together
        pairs = pairs.tocsr()
        known = np.bincount(events.item, minlength=events.num_items) + self.shrinkage
        known = np.maximum(known, 1)
        row = np.repeat(np.arange(events.num_items), np.diff(pairs.indptr))
        source, target = known**-self.source_power, known**-self.target_power
        pairs.data = pairs.data * source[row] * target[pairs.indices]
        # Ties go to the lower index: the kept neighbours never depend on the platform.
        order = np.lexsort((pairs.indices, -pairs.data, row))
        position = np.arange(pairs.nnz) - pairs.indptr[row]
        kept = order[(position < self.neighbours) & (pairs.data[order] > 0)]
        return sparse.csr_array(
            (pairs.data[kept].astype(np.float32), (row[kept], pairs.indices[kept])),
            shape=pairs.shape,
        )

    def vectors(self, events: Events, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the factorised similarity, see `factorize`: float32 [N, D] twice."""
        counts = np.bincount(events.item, minlength=events.num_items)
        return factorize(self.similarity(events), counts, width)


@dataclass(frozen=True)
class EventPairs:
    """Weighted pairs of the training events, sparse float64 [N, N].

    Attributes:
      ordered: row before column.
      together: both at the same time, both ways.
    """

    ordered: sparse.csr_array
    together: sparse.csr_array


def count_pairs(events: Events, window: int, gap_power: float) -> EventPairs:
    """Counts pairs of events of one user, at most `window` positions apart.

    Cost: E x window pairs, of which `PAIRS_AT_ONCE` are in memory at a time.
    """
    size = events.num_items
    totals = [sparse.csr_array((size, size), dtype=np.float64) for _ in range(2)]
    held: tuple[list, list] = ([], [])
    pairs = 0
    farthest = int(np.unique(events.user, return_counts=True)[1].max(initial=0)) - 1
    farthest = min(window, farthest)
    for gap in range(1, farthest + 1):
        position = np.flatnonzero(events.user[gap:] == events.user[:-gap])
        same = events.timestamp[position + gap] == events.timestamp[position]
        for kind, chosen in enumerate((position[~same], position[same])):
            weight = np.full(len(chosen), float(gap) ** -gap_power)
            pair = events.item[chosen], events.item[chosen + gap]
            held[kind].append((weight, *pair))
        pairs += len(position)
        if pairs >= PAIRS_AT_ONCE or gap == farthest:
            for kind in range(2):
                totals[kind] = totals[kind] + _summed(held[kind], size)
                held[kind].clear()
            pairs = 0
    return EventPairs(totals[0], (totals[1] + totals[1].T).tocsr())


def factorize(
    similarity: sparse.csr_array, counts: np.ndarray, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns vectors of sources and of targets with `source @ target.T ~ similarity`.

    The best approximation of this width where an error at (i, j) weighs as the square
    root of how often i and j occur: a truncated SVD of the matrix scaled by those
    roots. Items without neighbours get zeros.

    Args:
      similarity: [N, N].
      counts: events of each item [N].
      width: `D`; where the matrix has less to give, the rest is zeros.

    Returns:
      float32 [N, D] twice, of equal Frobenius norm.
    """
    size = similarity.shape[0]
    rank = min(width, size)
    root = np.sqrt(counts + 1.0)
    scaled = sparse.diags_array(root) @ similarity.astype(np.float64)
    left, strength, right = _largest(scaled @ sparse.diags_array(root), rank)
    order = np.argsort(-strength)
    half = np.sqrt(strength[order])
    source = left[:, order] * half / root[:, None]
    target = right[order].T * half / root[:, None]
    balance = np.sqrt(np.linalg.norm(target) / max(np.linalg.norm(source), 1e-12))
    wide = ((0, 0), (0, width - rank))
    return (
        np.pad(source * balance, wide).astype(np.float32),
        np.pad(target / max(balance, 1e-12), wide).astype(np.float32),
    )


def _largest(
    matrix: sparse.csr_array, rank: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the largest singular values and their vectors."""
    size = matrix.shape[0]
    # Iterations pay only where a small part of the values is wanted.
    if 4 * rank >= size or not matrix.nnz:
        left, strength, right = np.linalg.svd(matrix.toarray())
        return left[:, :rank], strength[:rank], right[:rank]
    start = np.random.default_rng(0).standard_normal(size)
    return svds(matrix, k=rank, v0=start)


def _summed(pairs: list, size: int) -> sparse.csr_array:
    weight, row, column = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return sparse.coo_array((weight, (row, column)), shape=(size, size)).tocsr()
