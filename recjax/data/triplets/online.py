"""Triplets from small reservoirs of each category: the paper's way for any scale.

Wang et al. 2014 (Deep Ranking, section 5.1), corrected where its text does not give the
distributions that it names:

* Positives: the paper accepts an image p of the buffer with min(1, r_qp / r_p), which
  forgets T_p, since r_p is a sum that holds r_qp. Here p is drawn in proportion to
  min(T_p, r_qp) / r_p, directly instead of by about n trials.
* Out-of-class negatives: images of the buffers are there by their relevance, so a
  uniform draw from them is not one from all images. A reservoir of its own holds
  images drawn uniformly.
* Queries: a uniform draw from an A-Res buffer is in proportion to r_i only while the
  buffer is far smaller than its category. Buffers with replacement
  (`recjax.data.triplets.reservoirs.fill`) have no such limit and are the default.

Positives and in-class negatives come from the m slots of a category: exact among the
slots, and the nearer to the category's own distribution the larger m is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from recjax import rng
from recjax.data.negatives import pick
from recjax.data.triplets import reservoirs
from recjax.data.triplets.exact import TripletRules, Triplets, other_category, shuffled
from recjax.data.triplets.relevance import Relevance
from recjax.data.triplets.reservoirs import Reservoirs
from recjax.errors import UserError

log = logging.getLogger(__name__)
ROUNDS = 200
ENOUGH = 2_000
"""Queries after which the share of the top decile is judged."""


@dataclass(frozen=True)
class Buffers:
    """What one pass over the images left in memory.

    Attributes:
      held: a reservoir a category, filled by total relevance.
      anywhere: one reservoir of images of all categories, filled uniformly.
    """

    held: Reservoirs
    anywhere: Reservoirs


@dataclass(frozen=True)
class FromReservoirs:
    """Settings of drawing from reservoirs, the paper's way for many images.

    Attributes:
      capacity: slots of each category.
      distinct: A-Res buffers without replacement, as in the paper; a warning is logged
        where they hold so much of a category that queries are not drawn by relevance.
      others: slots for out-of-class negatives.
      every: steps that draw from what one pass over the images left behind.
    """

    capacity: int = 64
    distinct: bool = False
    others: int = 4_096
    every: int = 100

    def __post_init__(self) -> None:
        """Checks the sizes.

        Raises:
          ValueError: one is too small.
        """
        for name, least in (("capacity", 2), ("others", 1), ("every", 1)):
            if (value := getattr(self, name)) < least:
                raise ValueError(f"{name} = {value}: must be at least {least}")


@dataclass(frozen=True)
class OnlineTriplets:
    """Draws triplets from reservoirs that passes over all images fill.

    The total relevance r_i of each image and the relevance between groups must be
    known; the images themselves need not be in memory. A pass is a function of seed and
    number, so a resumed run needs no buffers saved.

    Attributes:
      relevance: of all images.
      rules: what a triplet must be.
      settings: of the reservoirs.
      seed: of the passes.
    """

    relevance: Relevance
    rules: TripletRules = TripletRules()
    settings: FromReservoirs = FromReservoirs()
    seed: int = 0

    def passed(self, number: int) -> Buffers:
        """Returns the buffers that pass `number` over all images leaves behind."""
        known, kept = self.relevance, self.settings
        generator = rng.host_stream(self.seed, "reservoirs", number)
        fill = reservoirs.fill_distinct if kept.distinct else reservoirs.fill
        images, one = np.arange(len(known)), np.zeros(len(known), np.int64)
        held = reservoirs.empty(len(known.blocks), kept.capacity)
        anywhere = reservoirs.empty(1, kept.others)
        return Buffers(
            fill(held, images, known.image_category, self._weight, generator),
            reservoirs.fill(anywhere, images, one, one + 1.0, generator),
        )

    def draw(self, generator: np.random.Generator, count: int, step: int) -> Triplets:
        """Draws the triplets of a step; see `draw_from`."""
        buffers = self._passed(step // self.settings.every)
        drawn = self.draw_from(buffers, generator, count)
        if self.rules.weighted:
            self._watch.see(drawn.query)
        return drawn

    def draw_from(
        self, buffers: Buffers, generator: np.random.Generator, count: int
    ) -> Triplets:
        """Draws `count` triplets from what the buffers hold.

        Args:
          buffers: what a pass left.
          generator: source of randomness.
          count: `T`.

        Raises:
          UserError: hardly any draw gives a triplet.
        """
        parts, missing = [], generator.random(count) < self.rules.out_of_class
        for _ in range(ROUNDS):
            got, kept = self._try(buffers, generator, missing)
            parts.append(got)
            missing = missing[~kept]
            if not len(missing):
                return shuffled(parts, generator)
        kind = "out-of-class" if missing.any() else "in-class"
        raise UserError(
            f"{len(missing)} of {count} triplets with {kind} negatives were not found "
            f"in {ROUNDS} rounds of draws: lower margin = {self.rules.margin}, raise "
            f"tries = {self.rules.tries}, or raise the capacity "
            f"{self.settings.capacity}"
        )

    def _try(
        self, buffers: Buffers, generator: np.random.Generator, outside: np.ndarray
    ) -> tuple[Triplets, np.ndarray]:
        held, rules = buffers.held, self.rules
        u = generator.random((6, len(outside)))
        upto = np.cumsum(held.total)
        category = pick(upto, u[0] * upto[-1])
        rows = np.arange(len(category))
        slots, weights = held.image[category], held.weight[category]
        there = slots >= 0  # A-Res keeps empty slots last, the other kind has none.
        query = slots[rows, (u[1] * there.sum(1)).astype(np.int64)]
        there &= slots != query[:, None]
        relevance = self.relevance.between(query[:, None], np.maximum(slots, 0))
        relevance = np.where(there, relevance, 0).astype(np.float64)
        chance = rules.pair_weight(relevance) / np.where(there, weights, 1)
        position = _weighted(chance, u[2])
        own = relevance[rows, position][:, None]
        low_enough = relevance <= own - rules.margin + 1e-6 * own
        low = np.where(low_enough & (relevance < own), chance, 0)
        total = chance.sum(1)
        passing = low.sum(1) / np.where(total > 0, total, 1)
        found = u[3] < 1 - (1 - passing) ** rules.tries
        near = _weighted(low, u[4])
        far, apart = self._elsewhere(buffers.anywhere.image[0], category, u[5])
        apart &= (own[:, 0] > 0) & (own[:, 0] >= rules.margin)
        kept = (total > 0) & np.where(outside, apart, found)
        negative = np.where(outside, far, slots[rows, near])
        other = np.where(outside, 0, relevance[rows, near])
        columns = (query, slots[rows, position], negative, own[:, 0], other)
        return Triplets(*(column[kept] for column in columns)), kept

    def _elsewhere(
        self, images: np.ndarray, category: np.ndarray, u: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draws an image outside of each category; False where there is none."""
        images = images[images >= 0]
        known = self.relevance.image_category[images]
        order = np.argsort(known, kind="stable")
        start = np.searchsorted(known[order], category)
        stop = np.searchsorted(known[order], category, side="right")
        position = other_category(len(images), start, stop, u)
        chosen = images[order[np.minimum(position, len(images) - 1)]]
        return chosen, stop - start < len(images)

    @cached_property
    def _passed(self) -> Callable[[int], Buffers]:
        # Two, since threads of the input may be on both sides of a refill.
        return lru_cache(2)(self.passed)

    @cached_property
    def _watch(self) -> ShareWatch:
        return ShareWatch(self.relevance)

    @cached_property
    def _weight(self) -> np.ndarray:
        total = self.relevance.total
        weight = total if self.rules.weighted else (total > 0).astype(np.float64)
        return weight[self.relevance.group]


class ShareWatch:
    """Watches whether queries come in proportion to their relevance, and warns if not.

    The figure is the share of queries among the top tenth of each category: with
    uniform draws it is a tenth, whatever the relevance.
    """

    def __init__(self, relevance: Relevance, tolerance: float = 0.05):
        """Finds the share that the formula gives.

        Args:
          relevance: of all images.
          tolerance: largest relative difference without a warning.
        """
        weight = relevance.total[relevance.group]
        order = np.lexsort((-weight, relevance.image_category))
        category = relevance.image_category[order]
        counts = np.bincount(category)
        rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
        self._top = np.zeros(len(order), bool)
        self._top[order] = rank < np.maximum(counts // 10, 1)[category]
        self._tolerance = tolerance
        self._queries = self._hits = 0
        self._warned = False
        self.target = float(weight[self._top].sum() / max(weight.sum(), 1e-30))

    @property
    def share(self) -> float:
        """The share so far."""
        return self._hits / max(self._queries, 1)

    def see(self, query: np.ndarray) -> None:
        """Counts queries, and warns once when their share is off the target."""
        self._queries += len(query)
        self._hits += int(self._top[query].sum())
        off = abs(self.share - self.target)
        # Four standard errors: no warning for what is chance.
        noise = 4 * np.sqrt(self.target * (1 - self.target) / max(self._queries, 1))
        if self._warned or self._queries < ENOUGH:
            return
        if off > self._tolerance * self.target + noise:
            self._warned = True
            log.warning(
                "queries of the top tenth by relevance are %.1f%% of all, the formula "
                "gives %.1f%%: the buffers hold too much of their categories; lower "
                "the capacity, or use buffers with replacement (distinct=False)",
                100 * self.share,
                100 * self.target,
            )


def _weighted(weight: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Draws a column of each row in proportion to its weight; 0 where all are 0."""
    upto = np.cumsum(weight, axis=1)
    position = (upto <= u[:, None] * upto[:, -1:]).sum(1)
    return np.where(position < weight.shape[1], position, 0)
