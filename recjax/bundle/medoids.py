"""Users by their medoids: which are asked with, and how their answers are joined.

medoids.json   {"most": medoids of a user that are asked with}
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from recjax.errors import UserError

NAME = "medoids.json"
MEDOIDS, IMPORTANCE, HIDDEN, BECAUSE = "medoids", "importance", "hidden", "because"


@dataclass(frozen=True)
class Medoids:
    """How a bundle answers users.

    Attributes:
      most: medoids of a user that are asked with, the most important; at least 1.
    """

    most: int = 3

    def __post_init__(self) -> None:
        """Checks the number.

        Raises:
          UserError: it is not positive.
        """
        if self.most < 1:
            raise UserError(f"{self.most} medoids: ask with at least one")

    def save(self, bundle: Path) -> None:
        """Writes it into a bundle."""
        (bundle / NAME).write_text(json.dumps(asdict(self)) + "\n")

    @classmethod
    def load(cls, bundle: Path) -> Medoids | None:
        """Reads what `save` wrote; None of another bundle.

        Raises:
          UserError: the file is damaged.
        """
        path = bundle / NAME
        if not path.exists():
            return None
        try:
            return cls(int(json.loads(path.read_text())["most"]))
        except (OSError, ValueError, LookupError, TypeError) as error:
            said = f"{path}: cannot be read ({error}); export the bundle anew"
            raise UserError(said) from error


def in_turns(
    answers: Sequence[np.ndarray], hidden: Collection[int] = ()
) -> dict[int, tuple[int, int]]:
    """Returns items in turns: the best of each answer, then the second of each, ...

    Args:
      answers: items of each medoid, best first, any number of each.
      hidden: items to leave out; the next one of the same answer takes the turn.

    Returns:
      Item -> the first answer that has it so early, and its place there.
    """
    left = [
        [(int(item), at) for at, item in enumerate(answer) if int(item) not in hidden]
        for answer in answers
    ]
    out: dict[int, tuple[int, int]] = {}
    for turn in range(max(map(len, left), default=0)):
        for which, own in enumerate(left):
            if turn < len(own):
                item, at = own[turn]
                out.setdefault(item, (which, at))
    return out
