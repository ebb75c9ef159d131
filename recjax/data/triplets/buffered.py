"""Triplets of a training run from reservoirs, refilled every some steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from recjax.data.triplets.exact import TripletRules, Triplets
from recjax.data.triplets.online import Buffers, OnlineTriplets, ShareWatch
from recjax.data.triplets.relevance import Relevance


@dataclass(frozen=True)
class FromReservoirs:
    """Settings of drawing from reservoirs, the paper's way for many images.

    Attributes:
      capacity: slots of each category.
      distinct: buffers without replacement, as in the paper; a warning is logged where
        they hold so much of a category that queries are not drawn by relevance.
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
            if getattr(self, name) < least:
                value = getattr(self, name)
                raise ValueError(f"{name} = {value}: must be at least {least}")

    def open(
        self, relevance: Relevance, rules: TripletRules, seed: int
    ) -> BufferedTriplets:
        """Returns the sampler.

        Args:
          relevance: of all images.
          rules: what a triplet must be.
          seed: of the passes.
        """
        online = OnlineTriplets(
            relevance, rules, self.capacity, self.distinct, self.others
        )
        return BufferedTriplets(online, self.every, seed)


@dataclass(frozen=True)
class BufferedTriplets:
    """Draws the triplets of any step: a resumed run needs no buffers saved.

    Attributes:
      online: fills reservoirs and draws from them.
      every: steps that draw from one filling.
      seed: of the fillings.
    """

    online: OnlineTriplets
    every: int
    seed: int

    def draw(self, generator: np.random.Generator, count: int, step: int) -> Triplets:
        """Draws the triplets of a step.

        Args:
          generator: source of randomness of that step.
          count: `T`.
          step: from 0.

        Raises:
          UserError: hardly any draw gives a triplet.
        """
        drawn = self.online.draw(self._filled(step // self.every), generator, count)
        if self.online.rules.weighted:
            self._watch.see(drawn.query)
        return drawn

    @cached_property
    def _filled(self) -> Callable[[int], Buffers]:
        # Two, since threads of the input may be on both sides of a refill.
        return lru_cache(2)(lambda number: self.online.passed(self.seed, number))

    @cached_property
    def _watch(self) -> ShareWatch:
        return ShareWatch(self.online.relevance)
