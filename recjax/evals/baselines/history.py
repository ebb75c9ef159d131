"""What a user had before: more often, more lately, at this hour of the day.

Where people have habits (check-ins, groceries, songs) this is hard to beat. The hour
and the weekday need no calendar: an event about a whole number of days ago was at the
same hour, one about a whole number of weeks ago on the same weekday.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from recjax.data.dataset import HasEvents
from recjax.evals.linear_scorer import (
    Asked,
    Learned,
    LinearScorer,
    of_history_alone,
)
from recjax.evals.scorer import Need
from recjax.seconds import DAY, HOUR


@dataclass(frozen=True)
class History(LinearScorer):
    """Settings; the defaults weigh all events of a user alike.

    Attributes:
      decay: weight of an event over that of the user's next one.
      half_life: days after which an event weighs half; None for no such decay.
      hours: how near the hour of the day must be: the standard deviation of a bell in
        hours; None where the hour does not count.
      away: weight of an event at another hour, beside 1 at this one.
      weekday: the weight of another weekday, beside 1 of this one; 1 counts all alike.
      popularity: of the most popular item; small, it parts ties.
    """

    decay: float = 1.0
    half_life: float | None = None
    hours: float | None = None
    away: float = 0.3
    weekday: float = 1.0
    popularity: float = 1e-3

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
          ValueError: a setting is out of range.
        """
        for name in ("decay", "away", "weekday", "popularity"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, must be at least 0")
        for name in ("half_life", "hours"):
            if (value := getattr(self, name)) is not None and not value > 0:
                raise ValueError(f"{name} is {value}, must be above 0")

    @property
    def needs(self) -> tuple[Need, ...]:
        """Times are needed where the settings ask for them."""
        timed = self.half_life is not None or self.hours is not None
        timed = timed or self.weekday != 1
        return ("events", "history", *(("times",) if timed else ()))

    def learn(self, data: HasEvents, corpus: str) -> Learned:
        """Counts the training events of each item."""
        size = data.log.num_items
        counts = np.bincount(data.log.item[data.train], minlength=size)
        popular = counts.astype(np.float32) / np.float32(max(counts.max(initial=0), 1))
        same = np.float32(self.popularity) * popular
        return Learned(of_history_alone(size), same)

    def ask(
        self, learned: Learned, queries: Asked
    ) -> tuple[sparse.csr_array, sparse.csr_array]:
        """Weighs the histories of queries."""
        past, size = queries.past, learned.size
        met = past.weights(self.weights, size)
        met.sum_duplicates()
        return sparse.csr_array((len(past), 0), dtype=np.float32), met

    def weights(self, back: np.ndarray, age: Any) -> np.ndarray:
        """Returns the weight of each event.

        Args:
          back: its place from the end of the history [H].
          age: seconds before the query [H]; None where times are not known.
        """
        out = self.decay ** back.astype(np.float64)
        if age is None:
            return out
        age = np.asarray(age, np.float64)
        if self.half_life is not None:
            out = out * 0.5 ** (age / (self.half_life * DAY))
        if self.hours is not None:
            apart = np.abs(age - DAY * np.round(age / DAY)) / (self.hours * HOUR)
            out = out * (self.away + (1 - self.away) * np.exp(-(apart**2) / 2))
        if self.weekday != 1:
            same = np.round(age / DAY) % 7 == 0
            out = out * np.where(same, 1.0, self.weekday)
        return out
