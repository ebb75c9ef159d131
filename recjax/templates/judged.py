"""What templates of search read from graded judgements."""

from __future__ import annotations

from typing import Any

import numpy as np

from recjax.data.splits import ByColumn, ByQuery, Split
from recjax.tables.typed import Table
from recjax.templates.chosen import Say


def grades(judged: Table, say: Say) -> dict[str, Any]:
    """Returns the arguments of `Search` that tell which grades count for what."""
    found = np.unique(judged["grade"].array)
    low, middle, high = found[0], found[len(found) // 2], found[-1]
    say(
        f"relevance: grades are {low:g} to {high:g}; {high:g} is relevant in the "
        "evaluation"
    )
    return {
        "min_relevance": float(middle),
        "positive_relevance": float(high),
        "lowest_relevance": float(min(low, middle - 1)),
    }


def query_split(judged: Table, say: Say) -> Split:
    """Returns how the queries are split."""
    by_column = "split" in judged
    say("split: the column `split`" if by_column else "split: a tenth of the queries")
    return ByColumn() if by_column else ByQuery()
