"""Some answers of a model, as a person reads them: a seed picks the queries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from recjax import rng
from recjax.data.dataset import Corpus, Queries
from recjax.images.thumbnail import thumbnail
from recjax.index.exact import largest
from recjax.metrics.ranks import Ranks
from recjax.metrics.task import RankingTask
from recjax.seconds import DAY, HOUR, MINUTE
from recjax.tables.typed import Ragged, TypedColumn

ASKED, SHOWN, PAST, MISSED = 12, 8, 6, 4
LONG, TOLD = 40, 3
"""Letters of a column's value, and columns, that stand for a title."""
SPLIT = "split"
RIGHT, NEAR, WRONG = "right", "near", "wrong"

ScoresOfQuery = Callable[[int], np.ndarray]
"""Query -> the scores of all items [N]."""


@dataclass(frozen=True)
class Shown:
    """Something that a query names or finds.

    Attributes:
      title: what to show a person.
      note: what else there is to say, such as its age or its place.
      mark: `RIGHT`, `NEAR`, `WRONG`, or "" where nobody judged it.
      picture: makes a small JPEG of it; None where it has none.
    """

    title: str
    note: str = ""
    mark: str = ""
    picture: Callable[[], bytes] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Answer:
    """What a query asked and found.

    Attributes:
      asked: a text or a picture; None where there is only what came before.
      before: what its user did in earlier sessions, or at all, the newest last.
      session: what its user did in the session that it goes on with.
      found: the best, best first.
      missed: what should have been found, and is not among them.
      more: how many more of those there are.
    """

    asked: Shown | None
    before: tuple[Shown, ...]
    session: tuple[Shown, ...]
    found: tuple[Shown, ...]
    missed: tuple[Shown, ...]
    more: int = 0


def pick(judged: np.ndarray, seed: int) -> np.ndarray:
    """Returns the queries that are shown, in order, drawn without replacement.

    Args:
      judged: whether each query has something that it should find, bool[Q].
      seed: of the draw.
    """
    able = np.flatnonzero(judged)
    draw = rng.host_stream(seed, "answers", 0)
    return np.sort(draw.choice(able, min(ASKED, len(able)), replace=False))


def sample_answers(
    queries: Queries, ranks: Ranks, corpus: Corpus, seed: int, score: ScoresOfQuery
) -> tuple[Answer, ...]:
    """Returns what some queries ask, and what they find.

    Args:
      queries: of a split.
      ranks: of their judged items; of a query without top list the items are scored.
      corpus: that is ranked.
      seed: picks the queries.
      score: scores a query.
    """
    task = queries.task
    judged = np.bincount(task.query[task.positive], minlength=len(task)) > 0
    made = []
    for q in pick(judged, seed):
        top = ranks.top[q, :SHOWN] if ranks.top.shape[1] else _best(task, score, q)
        made.append(_answer(queries, int(q), top[top >= 0], ranks.rank, corpus))
    return tuple(made)


def _answer(
    queries: Queries, q: int, top: np.ndarray, rank: np.ndarray, corpus: Corpus
) -> Answer:
    task = queries.task
    mine = slice(*task.offsets[q : q + 2])
    good = task.positive[mine]
    wanted = dict(zip(task.items[mine][good], rank[mine][good], strict=True))
    found = [item_shown(corpus, i, mark=RIGHT if i in wanted else "") for i in top]
    missed = sorted((r, i) for i, r in wanted.items() if i not in set(top.tolist()))
    last = [item_shown(corpus, i, f"at place {r:,.0f}") for r, i in missed[:MISSED]]
    before, session = _past(queries, q, corpus)
    asked = None if queries.texts is None else Shown(queries.texts[q])
    more = max(len(missed) - MISSED, 0)
    return Answer(asked, before, session, tuple(found), tuple(last), more)


def _best(task: RankingTask, score: ScoresOfQuery, q: int) -> np.ndarray:
    """Returns the best items of a query that are not left out."""
    scores = np.array(score(q), np.float32)
    out = task.exclude[slice(*task.exclude_offsets[q : q + 2])]
    scores[out] = -np.inf
    size = min(SHOWN, len(scores) - len(np.unique(out)))
    return largest(scores[None], size)[0][0]


def _past(
    queries: Queries, q: int, corpus: Corpus
) -> tuple[tuple[Shown, ...], tuple[Shown, ...]]:
    """Returns what a query's user did: before its session, and in it."""
    past = queries.history
    if past is None:
        return (), ()
    start, stop = int(past.start[q]), int(past.stop[q])
    session = stop if past.session is None else int(past.session[q])
    parts = []
    for first, last in ((start, session), (session, stop)):
        events = range(max(first, last - PAST), last)
        parts.append(tuple(_event(queries, q, e, corpus) for e in events))
    return parts[0], parts[1]


def _event(queries: Queries, q: int, event: int, corpus: Corpus) -> Shown:
    past, note = queries.past, ""
    if past.time is not None and past.when is not None:
        note = f"{age(float(past.when[q] - past.time[event]))} before"
    return item_shown(corpus, int(past.items[event]), note)


def categories_of(column: TypedColumn, row: int) -> list[str]:
    """Returns the categories of a row."""
    held = column.values
    codes = held[row] if isinstance(held, Ragged) else column.array[row : row + 1]
    return [column.vocabulary[code] for code in codes.tolist() if code >= 0]


def age(span: float) -> str:
    """Returns a length of time in seconds as a person says it, such as "3 h"."""
    for name, unit in (("d", DAY), ("h", HOUR), ("min", MINUTE)):
        if span >= unit:
            return f"{span / unit:,.0f} {name}"
    return f"{span:.0f} s"


def title_of(corpus: Corpus, item: int) -> str:
    """Returns an item's title; of one without, its id and what its columns say."""
    title, id = str(corpus.titles[item]), str(corpus.ids[item])
    if title and title != id:
        return title
    columns = {} if corpus.table is None else corpus.table.columns
    found = []
    for column in columns.values():
        if column.type == "text" and column.name not in ("id", "title"):
            found.append(str(column.texts[item]))
        elif column.type in ("category", "categories") and column.name != SPLIT:
            labels = " ".join(filter(None, categories_of(column, item)))
            found.append(f"{column.name} {labels}" if labels else "")
    told = [value[:LONG] for value in found if value][:TOLD]
    return f"{id} ({', '.join(told)})" if told else id


def item_shown(corpus: Corpus, item: int, note: str = "", mark: str = "") -> Shown:
    """Returns an item by its title, with its first photograph."""
    columns = {} if corpus.table is None else corpus.table.columns
    photographs = [one for one in columns.values() if one.type == "image"]
    data = photographs[0].texts.encoded(int(item)) if photographs else b""
    return Shown(
        title_of(corpus, item), note, mark, partial(thumbnail, data) if data else None
    )
