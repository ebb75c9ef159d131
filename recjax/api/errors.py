"""The queries that a model does worst on, with titles and pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from recjax.data.dataset import Corpus, HasImages, HasQueries, Queries
from recjax.errors import UserError
from recjax.evals.answers import Shown, item_shown
from recjax.evals.embed import embed_images
from recjax.evals.gallery import GalleryRanking
from recjax.evals.model import Embeddings, model_scores, rank_all
from recjax.evals.photo_answers import photo_shown
from recjax.evals.ranking import Ranking
from recjax.evals.reports.answers_page import picture_html
from recjax.evals.reports.svg import safe
from recjax.evals.scorer import Scores
from recjax.metrics.task import RankingTask
from recjax.shown import table
from recjax.train.program import Program
from recjax.train.state import State

SHOWN, PAST, WIDE = 3, 3, 34
STYLE = """<style>.recjax-errors td { vertical-align: top; text-align: left; }
.recjax-errors img { height: 3.5em; margin: 0 .5em 0 0; vertical-align: middle; }
</style>"""
HEAD = ("asked, or met last", "found", "should have been", "at place")


@dataclass(frozen=True)
class Missed:
    """A query that does badly.

    Attributes:
      asked: its text or photograph, or what its user met last.
      found: the best items.
      wanted: what should have been found, the best placed first.
      place: the place of the first of these, from 1.
    """

    asked: tuple[Shown, ...]
    found: tuple[Shown, ...]
    wanted: tuple[Shown, ...]
    place: float


class Errors(list[Missed]):
    """Queries, the worst first, which show themselves as a table."""

    def __repr__(self) -> str:
        """Returns a table of what was asked, found and wanted."""
        rows: list[tuple[str, ...]] = [HEAD]
        for one in self:
            cells = one.asked, one.found, one.wanted
            for at in range(max(map(len, cells))):
                line = [_short(c[at]) if at < len(c) else "" for c in cells]
                rows.append((*line, "" if at else f"{one.place:,.0f}"))
        return table(rows, right=(3,))

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in HEAD)
        rows = [
            f"<tr><td>{_lines(one.asked)}</td><td>{_lines(one.found)}</td>"
            f"<td>{_lines(one.wanted)}</td><td>{one.place:,.0f}</td></tr>"
            for one in self
        ]
        body = f"<tr>{head}</tr>{''.join(rows)}"
        return f'{STYLE}<table class="recjax-errors">{body}</table>'


@dataclass(frozen=True)
class _Ranked:
    """Queries and what they rank.

    Attributes:
      task: what each should find.
      scores: of all items.
      asked: query -> what it asks.
      item: item -> what it is.
    """

    task: RankingTask
    scores: Embeddings | Scores
    asked: Callable[[int], tuple[Shown, ...]]
    item: Callable[[int], Shown]


def worst(program: Program, state: State, split: str, n: int) -> Errors:
    """Returns the queries whose wanted items lie deepest.

    Several events of a user at one time are one query: of queries that ask and find the
    same, the worst stands for all.

    Args:
      program: the opened experiment.
      state: the trained state.
      split: "test" or "validation".
      n: how many queries.

    Raises:
      UserError: the experiment ranks nothing by its model.
    """
    of = _ranked(program, state, split)
    ranks = rank_all(of.task, of.scores, SHOWN, program)
    positive = of.task.positive
    good = np.flatnonzero(positive)
    best = np.full(len(of.task), np.inf)
    np.minimum.at(best, of.task.query[good], ranks.rank[good])
    best[np.isinf(best)] = -1  # Nothing is wanted.
    found, known = Errors(), set()
    for q in np.argsort(-best, kind="stable"):
        asked = of.asked(int(q))
        top = tuple(of.item(int(i)) for i in ranks.top[q] if i >= 0)
        if len(found) == n or not best[q] > 1:
            break
        if (asked, top) not in known:
            known.add((asked, top))
            mine = np.arange(*of.task.offsets[q : q + 2])
            mine = mine[positive[mine]]
            mine = mine[np.argsort(ranks.rank[mine], kind="stable")][:SHOWN]
            wanted = tuple(of.item(int(i)) for i in of.task.items[mine])
            found.append(Missed(asked, top, wanted, float(best[q])))
    return found


def _ranked(program: Program, state: State, split: str) -> _Ranked:
    data, evals = program.dataset, program.experiment.evals.values()
    for one in evals:
        if isinstance(one, Ranking) and one.scorer is None:
            if isinstance(data, HasQueries):
                ranking = replace(one, split=split)
                return _of_queries(program, state, ranking, ranking.queries(data))
        if isinstance(one, GalleryRanking) and one.scorer is None:
            if isinstance(data, HasImages):
                return _of_images(program, state, replace(one, split=split), data)
    raise UserError(
        "errors: the experiment ranks nothing by its model: give it an evaluation, "
        'as evals={"model": rj.evals.Ranking("test")}'
    )


def _of_queries(
    program: Program, state: State, ranking: Ranking, queries: Queries
) -> _Ranked:
    data = program.dataset
    assert isinstance(data, HasQueries)
    corpus = data.corpora[queries.corpus]
    return _Ranked(
        queries.task,
        model_scores(program, state, queries, ranking.tower),
        lambda q: _asked(queries, q, corpus),
        lambda i: item_shown(corpus, i),
    )


def _of_images(
    program: Program, state: State, ranking: GalleryRanking, data: HasImages
) -> _Ranked:
    asked, held = ranking.positions(data.table)
    finest, names = data.table.labels[:, -1], data.table.names
    order = np.argsort(finest[held], kind="stable")
    ordered = finest[held][order]
    ends = [np.searchsorted(ordered, finest[asked], side) for side in ("left", "right")]
    alike = [order[start:stop].tolist() for start, stop in zip(*ends, strict=True)]
    vectors = [
        embed_images(program, state, at, data.shown, ranking.flip)
        for at in (asked, held)
    ]

    def shown(position: int) -> Shown:
        return photo_shown(data, position, names[position])

    return _Ranked(
        RankingTask.from_lists(len(held), alike),
        Embeddings(*vectors),
        lambda q: (shown(int(asked[q])),),
        lambda i: shown(int(held[i])),
    )


def _asked(queries: Queries, q: int, corpus: Corpus) -> tuple[Shown, ...]:
    if queries.texts is not None and queries.texts[q]:
        return (Shown(queries.texts[q]),)
    past = queries.history
    if past is None:
        return (Shown(f"query {q}"),)
    start, stop = int(past.start[q]), int(past.stop[q])
    last = past.items[max(start, stop - PAST) : stop]
    met = tuple(item_shown(corpus, int(i)) for i in last)
    return met or (Shown("without a history"),)


def _short(shown: Shown) -> str:
    told = f"{shown.title} ({shown.note})" if shown.note else shown.title
    return told if len(told) <= WIDE else f"{told[: WIDE - 3]}..."


def _lines(shown: tuple[Shown, ...]) -> str:
    return "".join(
        f"<div>{picture_html(one, one.title)}{safe(one.title)} "
        f"<small>{safe(one.note)}</small></div>"
        for one in shown
    )
