"""Queries made from titles: words that a person might type to find the item."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def some_words(words: Sequence[str], seed: int, most: int = 4) -> str:
    """Returns 1 to `most` words of a title, in their order; "" of an empty one.

    Args:
      words: of the title.
      seed: decides how many and which.
      most: the longest query.
    """
    if not words:
        return ""
    generator = np.random.Generator(np.random.Philox(seed))
    count = min(len(words), int(generator.integers(1, most + 1)))
    chosen = np.sort(generator.permutation(len(words))[:count])
    return " ".join(words[position] for position in chosen)


def span(words: Sequence[str], draw: np.ndarray, lengths: tuple[int, int]) -> str:
    """Returns a few neighbouring words of a title.

    Args:
      words: of the title.
      draw: two uniform numbers in [0, 1): length and position of the span.
      lengths: fewest and most words.
    """
    shortest, longest = lengths
    count = shortest + int(draw[0] * (longest - shortest + 1))
    start = int(draw[1] * max(len(words) - count + 1, 1))
    return " ".join(words[start : start + count])
