"""The queries that a model does worst on, with titles."""

from __future__ import annotations

import html
from dataclasses import dataclass, replace

import numpy as np

from recjax.data.dataset import Corpus, HasQueries, Queries
from recjax.errors import UserError
from recjax.evals.answers import title_of
from recjax.evals.model import model_scores, rank_all
from recjax.evals.ranking import Ranking
from recjax.metrics.ranks import Ranks
from recjax.shown import table
from recjax.train.program import Program
from recjax.train.state import State

SHOWN, PAST, WIDE = 3, 3, 34


@dataclass(frozen=True)
class Missed:
    """A query that does badly.

    Attributes:
      asked: its text, or titles of what its user met last.
      found: titles of the best items.
      wanted: titles of what should have been found.
      place: the best place of these, from 1.
    """

    asked: str
    found: tuple[str, ...]
    wanted: tuple[str, ...]
    place: float


class Errors(list[Missed]):
    """Queries, the worst first, which show themselves as a table."""

    def __repr__(self) -> str:
        """Returns a table of what was asked, found and wanted."""
        rows: list[tuple[str, ...]] = [
            ("asked", "found", "should have been", "at place")
        ]
        for one in self:
            cells = [(one.asked,), one.found, one.wanted]
            for at in range(max(map(len, cells))):
                line = [_short(c[at]) if at < len(c) else "" for c in cells]
                rows.append((*line, "" if at else f"{one.place:,.0f}"))
        return table(rows, right=(3,))

    def _repr_html_(self) -> str:
        head = "<tr><th>asked<th>found<th>should have been<th>at place</tr>"
        rows = [
            f"<tr><td>{html.escape(one.asked)}<td>{_lines(one.found)}"
            f"<td>{_lines(one.wanted)}<td>{one.place:,.0f}</tr>"
            for one in self
        ]
        return f"<table>{head}{''.join(rows)}</table>"


def worst(program: Program, state: State, split: str, n: int) -> Errors:
    """Returns the queries whose wanted items lie deepest.

    Args:
      program: the opened experiment.
      state: the trained state.
      split: "test" or "validation".
      n: how many queries.

    Raises:
      UserError: the experiment ranks no items for queries.
    """
    evals = program.experiment.evals.values()
    ranking = next(
        (e for e in evals if isinstance(e, Ranking) and e.scorer is None), None
    )
    if ranking is None or not isinstance(program.dataset, HasQueries):
        raise UserError(
            "errors: the experiment ranks nothing by its model: give it an evaluation, "
            'as evals={"model": rj.evals.Ranking("test")}'
        )
    asked = replace(ranking, split=split)
    queries = asked.queries(program.dataset)
    task, scores = queries.task, model_scores(program, state, queries, asked.tower)
    ranks = rank_all(task, scores, SHOWN, program)
    good = np.flatnonzero(task.positive)
    best = np.full(len(task), np.inf)
    np.minimum.at(best, task.query[good], ranks.rank[good])
    best[np.isinf(best)] = -1  # Nothing is wanted.
    order = np.argsort(-best, kind="stable")[:n]
    corpus = program.dataset.corpora[queries.corpus]
    return Errors(
        _missed(queries, int(q), ranks, best[q], corpus) for q in order if best[q] > 1
    )


def _missed(
    queries: Queries, q: int, ranks: Ranks, place: float, corpus: Corpus
) -> Missed:
    task = queries.task
    mine = task.items[(task.query == q) & task.positive]
    title = [title_of(corpus, i) for i in mine[:SHOWN]]
    top = [title_of(corpus, i) for i in ranks.top[q] if i >= 0]
    return Missed(_asked(queries, q, corpus), tuple(top), tuple(title), float(place))


def _asked(queries: Queries, q: int, corpus: Corpus) -> str:
    if queries.texts is not None and queries.texts[q]:
        return queries.texts[q]
    past = queries.history
    if past is None:
        return f"query {q}"
    start, stop = int(past.start[q]), int(past.stop[q])
    last = past.items[max(start, stop - PAST) : stop]
    titles = [title_of(corpus, i) for i in last]
    return "after " + ", ".join(titles) if titles else "without a history"


def _short(text: str) -> str:
    return text if len(text) <= WIDE else f"{text[: WIDE - 3]}..."


def _lines(texts: tuple[str, ...]) -> str:
    return "<br>".join(map(html.escape, texts))
