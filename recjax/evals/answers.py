"""Some answers of a model, as a person reads them: no hand picks the queries."""

from __future__ import annotations

import numpy as np

from recjax.data.dataset import Corpus, Queries

ASKED, SHOWN = 4, 5


def sample_answers(queries: Queries, top: np.ndarray, corpus: Corpus) -> str:
    """Returns what some queries ask, and the titles that they find.

    Args:
      queries: of a split; the first, the last and some between are shown.
      top: the best items of each query, best first [Q, K]; -1 where fewer are ranked.
      corpus: that is ranked.
    """
    task, lines = queries.task, []
    for q in np.unique(np.linspace(0, len(queries) - 1, ASKED).astype(int)):
        judged = slice(*task.offsets[q : q + 2])
        wanted = set(task.items[judged][task.positive[judged]].tolist())
        lines.append(_asked(queries, int(q), corpus))
        found = [int(item) for item in top[q, :SHOWN] if item >= 0]
        for place, item in enumerate(found, 1):
            mark = "  <- right" if item in wanted else ""
            lines.append(f"  {place}. {_named(corpus, item)}{mark}")
        missed = [_named(corpus, item) for item in sorted(wanted - set(found))]
        if missed:
            more = f" and {len(missed) - SHOWN} more" if len(missed) > SHOWN else ""
            lines.append(f"     right as well: {', '.join(missed[:SHOWN])}{more}")
        lines.append("")
    return "\n".join(lines).rstrip()


def _asked(queries: Queries, q: int, corpus: Corpus) -> str:
    if queries.texts is not None:
        return f'"{queries.texts[q]}"'
    if queries.history is None:
        return f"query {q}"
    past = queries.history
    items = past.items[max(past.start[q], past.stop[q] - SHOWN) : past.stop[q]]
    before = " | ".join(_named(corpus, int(item)) for item in items)
    return f"after {before or 'nothing'}"


def _named(corpus: Corpus, item: int) -> str:
    return str(corpus.titles[item]) or str(corpus.ids[item])
