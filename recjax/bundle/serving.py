"""How a bundle is served: serving.json."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from recjax.errors import UserError

NAME = "serving.json"
BATCH_SIZES = (1, 8, 32, 128)


@dataclass(frozen=True)
class Serving:
    """What a server must know that the functions do not say.

    Attributes:
      k: most results of an answer.
      batch_sizes: numbers of rows that functions are asked for at once, rising. A
        server fills up to the next one, so that all are compiled before it is ready.
    """

    k: int
    batch_sizes: tuple[int, ...] = BATCH_SIZES

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
          UserError: one is not positive, or the sizes do not rise.
        """
        sizes = tuple(self.batch_sizes)
        if not sizes or sizes[0] < 1 or list(sizes) != sorted(set(sizes)):
            raise UserError(
                f"export.batch_sizes = {sizes}: give rising sizes, as {BATCH_SIZES}"
            )
        if self.k < 1:
            raise UserError(f"export.k = {self.k}: ask for at least one result")
        object.__setattr__(self, "batch_sizes", sizes)

    def save(self, bundle: Path) -> None:
        """Writes it into a bundle."""
        text = json.dumps(dataclasses.asdict(self), indent=2)
        (bundle / NAME).write_text(text + "\n")

    @classmethod
    def load(cls, bundle: Path) -> Serving:
        """Reads what `save` wrote.

        Raises:
          UserError: the file is missing or damaged.
        """
        path = bundle / NAME
        try:
            about = json.loads(path.read_text())
            return cls(int(about["k"]), tuple(map(int, about["batch_sizes"])))
        except (OSError, ValueError, LookupError, TypeError) as error:
            said = f"{path}: cannot be read ({error}); export the bundle anew"
            raise UserError(said) from error
