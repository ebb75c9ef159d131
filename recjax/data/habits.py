"""How much earlier events of a user count: lately, at this hour, on this weekday.

The hour and the weekday need no calendar: an event about a whole number of days ago was
at the same hour, one about a whole number of weeks ago on the same weekday.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recjax.seconds import DAY, HOUR


@dataclass(frozen=True)
class Kernel:
    """Settings; the defaults weigh all events alike.

    Attributes:
      decay: weight of an event over that of the user's next one.
      half_life: days after which an event weighs half; None for no such decay.
      hours: how near the hour of the day must be: the standard deviation of a bell in
        hours; None where the hour does not count.
      away: weight of an event at another hour, beside 1 at this one.
      weekday: the weight of another weekday, beside 1 of this one; 1 counts all alike.
    """

    decay: float = 1.0
    half_life: float | None = None
    hours: float | None = None
    away: float = 0.3
    weekday: float = 1.0

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
          ValueError: a setting is out of range.
        """
        for name in ("decay", "away", "weekday"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, must be at least 0")
        for name in ("half_life", "hours"):
            if (value := getattr(self, name)) is not None and not value > 0:
                raise ValueError(f"{name} is {value}, must be above 0")

    @property
    def timed(self) -> bool:
        """Whether times are needed."""
        return not (self.half_life is None and self.hours is None and self.weekday == 1)

    def weights(self, back: np.ndarray, age: Any) -> np.ndarray:
        """Returns the weight of each event.

        Args:
          back: its place from the end of the history [H].
          age: seconds before the moment [H]; None where times are not known.
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
