"""Triplets (query, positive, negative) drawn by graded relevance: exact weights.

Wang et al. 2014 (Deep Ranking, section 5.1, equations 6 to 8), for relevance that fits
in memory; `recjax.data.triplets.online` is the paper's way for more than that.

1. A query i is drawn in proportion to its total relevance r_i.
2. Its positive p is of the same category, in proportion to min(T_p, r_ip).
3. Its negative is, in the share `out_of_class`, any image of another category, else one
   of the same category in proportion to min(T_p, r_in), which is less relevant than p.
4. r_ip - r_in is at least T_r, or the negative is drawn again, at most `tries` times;
   then the query and the positive are given up and others drawn.

Nothing is drawn in vain here: rows of relevance are sorted, so the negatives that pass
the margin are the first ones of a row, and whether all tries would fail is one draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from recjax.data.negatives import pick
from recjax.data.triplets.relevance import Relevance
from recjax.errors import UserError


@dataclass(frozen=True)
class TripletRules:
    """What a triplet must be; the paper gives no values for these.

    Attributes:
      out_of_class: share of negatives from other categories (Fig. 6: 0.2 to 0.8).
      cap: T_p, relevance above which positives are drawn no more often.
      margin: T_r, smallest difference in relevance of positive and negative; with 0
        the negative is still less relevant than the positive.
      tries: draws of an in-class negative before its query and positive are given up.
      weighted: draw by relevance; False draws queries, positives and in-class
        negatives uniformly among relevant images, as the paper's comparison does.
    """

    out_of_class: float = 0.2
    cap: float = float("inf")
    margin: float = 0.0
    tries: int = 10
    weighted: bool = True

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
          ValueError: a setting outside its range.
        """
        if not 0 <= self.out_of_class <= 1:
            raise ValueError(f"out_of_class = {self.out_of_class}: must be in 0..1")
        if not self.cap > 0:
            raise ValueError(f"cap = {self.cap}: must be above 0")
        if not self.margin >= 0:
            raise ValueError(f"margin = {self.margin}: must be at least 0")
        if self.tries < 1:
            raise ValueError(f"tries = {self.tries}: must be at least 1")

    def pair_weight(self, relevance: np.ndarray) -> np.ndarray:
        """Returns the weight of drawing an image of this relevance to the query."""
        if self.weighted:
            return np.minimum(relevance, self.cap)
        return (relevance > 0).astype(np.float64)


class Triplets(NamedTuple):
    """Positions of images, [T] each, and the relevance of both to the query [T]."""

    query: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    positive_relevance: np.ndarray
    negative_relevance: np.ndarray


def shuffled(parts: Sequence[Triplets], generator: np.random.Generator) -> Triplets:
    """Returns triplets that were drawn in several rounds, in random order."""
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = generator.permutation(len(columns[0]))
    return Triplets(*(column[order] for column in columns))


def other_category(
    size: int, start: np.ndarray, stop: np.ndarray, u: np.ndarray
) -> np.ndarray:
    """Returns positions 0..size, but none of start..stop, from uniform numbers [T]."""
    position = (u * (size - (stop - start))).astype(np.int64)
    return np.where(position < start, position, position + stop - start)


class _Rows(NamedTuple):
    """What can be drawn for a query of each group: entries sorted by relevance.

    Attributes:
      start: first entry of each group's row [G + 1].
      group: group of each entry [E].
      relevance: its relevance to the row's images [E].
      upto: running sum of the entries' weights, from 0 [E + 1].
      limit: entries from the row's start up to this one pass the margin when this
        entry is the positive [E].
    """

    start: np.ndarray
    group: np.ndarray
    relevance: np.ndarray
    upto: np.ndarray
    limit: np.ndarray


@dataclass(frozen=True)
class TripletSampler:
    """Draws triplets from relevance in memory.

    Memory: 28 bytes for each positive entry of the relevance between groups.

    Attributes:
      relevance: of all images that may be drawn.
      rules: what a triplet must be.
    """

    relevance: Relevance
    rules: TripletRules = TripletRules()

    def draw(self, generator: np.random.Generator, count: int) -> Triplets:
        """Draws `count` independent triplets.

        Args:
          generator: source of randomness; the same state gives the same triplets.
          count: `T`.

        Raises:
          UserError: the rules allow no triplet.
        """
        outside = generator.random(count) < self.rules.out_of_class
        for kind, used in (("out", outside.any()), ("in", not outside.all())):
            if used and not self._possible[kind]:
                raise UserError(self._why_none(kind))
        parts, missing = [], outside
        while len(missing):
            got, kept = self._try(generator, missing)
            parts.append(got)
            missing = missing[~kept]
        return shuffled(parts, generator)

    def _try(
        self, generator: np.random.Generator, outside: np.ndarray
    ) -> tuple[Triplets, np.ndarray]:
        """Draws a query and a positive each; keeps those that find a negative."""
        rows, known = self._rows, self.relevance
        u = generator.random((6, len(outside)))
        u[0].sort()  # Rows are then read in the order in which they lie.
        group = pick(self._query_upto[1:], u[0] * self._query_upto[-1])
        first, last = rows.start[group], rows.start[group + 1]
        entry = _between(rows.upto, first, last, u[1])
        limit, low = rows.limit[entry], rows.upto[first]
        passing = (rows.upto[limit] - low) / (rows.upto[last] - low)
        found = 1 - (1 - passing) ** self.rules.tries
        high_enough = rows.relevance[entry] >= max(self.rules.margin, 1e-30)
        kept = np.where(outside, high_enough, u[2] < found)
        group, entry, outside = group[kept], entry[kept], outside[kept]
        first, limit, u = first[kept], limit[kept], u[3:, kept]
        query = known.starts[group] + (u[0] * known.sizes[group]).astype(np.int64)
        # What is left of a uniform number is uniform again, given its whole part.
        left = (u[0] * known.sizes[group]) % 1
        positive = self._member(rows.group[entry], group, query, left)
        negative = np.empty(len(query), np.int64)
        relevance = np.zeros(len(query), np.float32)
        inside = ~outside
        if inside.any():
            chosen = _between(rows.upto, first[inside], limit[inside], u[1, inside])
            negative[inside] = self._member(
                rows.group[chosen], group[inside], query[inside], u[2, inside]
            )
            relevance[inside] = rows.relevance[chosen]
        negative[outside] = self._elsewhere(group[outside], u[1, outside])
        taken = (known.members[at] for at in (query, positive, negative))
        return Triplets(*taken, rows.relevance[entry], relevance), kept

    def _member(
        self, group: np.ndarray, own: np.ndarray, query: np.ndarray, u: np.ndarray
    ) -> np.ndarray:
        """Draws a position of each group, another one than the query's."""
        same = group == own
        start, size = self.relevance.starts[group], self.relevance.sizes[group]
        position = start + (u * (size - same)).astype(np.int64)
        return position + (same & (position >= query))

    def _elsewhere(self, group: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Draws a position outside of the group's category."""
        known = self.relevance
        bounds = known.starts[known.first_group]
        category = known.category[group]
        start, stop = bounds[category], bounds[category + 1]
        return other_category(len(known), start, stop, u)

    @cached_property
    def _query_upto(self) -> np.ndarray:
        known = self.relevance
        weight = known.total if self.rules.weighted else known.total > 0
        return np.r_[0.0, np.cumsum(weight * known.sizes)]

    @cached_property
    def _possible(self) -> dict[str, bool]:
        rows = self._rows
        first = np.repeat(rows.start[:-1], np.diff(rows.start))
        margin = max(self.rules.margin, 1e-30)
        return {
            "in": bool((rows.limit > first).any()),
            "out": len(self.relevance.blocks) > 1
            and bool((rows.relevance >= margin).any()),
        }

    @cached_property
    def _rows(self) -> _Rows:
        known, parts = self.relevance, []
        for c, block in enumerate(known.blocks):
            base = known.first_group[c]
            size = known.sizes[base : known.first_group[c + 1]]
            there = size[None] - np.eye(len(size), dtype=size.dtype)
            weight = self.rules.pair_weight(block.astype(np.float64)) * there
            parts.append(_sorted_rows(block, weight, base, self.rules.margin))
        counts, group, relevance, weight, limit = (
            np.concatenate(column) for column in zip(*parts, strict=True)
        )
        start = np.r_[0, np.cumsum(counts)]
        limit += np.repeat(start[:-1], counts)
        return _Rows(start, group, relevance, np.r_[0.0, np.cumsum(weight)], limit)

    def _why_none(self, kind: str) -> str:
        margin = self.rules.margin
        if kind == "out":
            return (
                f"out_of_class = {self.rules.out_of_class} needs images of two or more "
                f"categories and a relevance of at least margin = {margin}; there are "
                f"{len(self.relevance.blocks)} categories, and the highest relevance "
                f"is {self._rows.relevance.max(initial=0):g}"
            )
        return (
            f"no image has two others of its category whose relevance differs by "
            f"margin = {margin}: lower it, set out_of_class = 1, or bring finer grades"
        )


def _sorted_rows(
    block: np.ndarray, weight: np.ndarray, base: int, margin: float
) -> tuple[np.ndarray, ...]:
    """Returns counts [G_c] and group, relevance, weight, limit of entries, by row."""
    order = np.argsort(block, axis=1, kind="stable")
    sorted_weight = np.take_along_axis(weight, order, 1)
    keep = sorted_weight > 0
    relevance = np.take_along_axis(block, order, 1)
    counts, limits = keep.sum(1), []
    for row, kept in zip(relevance, keep, strict=True):
        own = row[kept].astype(np.float64)
        # As wide as rounding, so that grades 0.7 and 0.5 are 0.2 apart.
        slack = 1e-6 * np.abs(own)
        apart = np.searchsorted(own, own - margin + slack, side="right")
        limits.append(np.minimum(apart, np.searchsorted(own, own, side="left")))
    return (
        counts,
        (order + base)[keep].astype(np.int32),
        relevance[keep].astype(np.float32),
        sorted_weight[keep],
        np.concatenate(limits),
    )


def _between(
    upto: np.ndarray, first: np.ndarray, last: np.ndarray, u: np.ndarray
) -> np.ndarray:
    """Draws an entry of first..last by weight; all entries have a weight above 0."""
    low, high = upto[first], upto[last]
    return np.clip(pick(upto[1:], low + u * (high - low)), first, last - 1)
