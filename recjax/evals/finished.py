"""What the end of a training found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recjax.evals.evaluation import Evaluated
from recjax.evals.fusion import Choice


@dataclass(frozen=True)
class Finished:
    """What the end of a training found, for those that ask for it again.

    Attributes:
      step: of the state that was evaluated.
      data: `stamp` of what it was evaluated on.
      found: evaluation -> what it found.
      choices: what was chosen for fusions.
    """

    step: int
    data: tuple[int, ...]
    found: Mapping[str, Evaluated]
    choices: Sequence[Choice] = ()
