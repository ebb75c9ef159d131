"""What a search of photographs finds, as a person sees it."""

from __future__ import annotations

import numpy as np

from recjax.data.dataset import HasImages
from recjax.data.images.table import ImageTable
from recjax.evals.answers import NEAR, RIGHT, SHOWN, WRONG, Answer, Shown, pick
from recjax.evals.embedding_map import LEAST, main_tags
from recjax.evals.embedding_map import SHOWN as MAPPED
from recjax.evals.evaluation import EmbeddingMap
from recjax.images.thumbnail import SIDE, thumbnail


def photo_answers(
    data: HasImages, asked: np.ndarray, held: np.ndarray, found: np.ndarray, seed: int
) -> tuple[Answer, ...]:
    """Returns some queries that a class of the gallery answers, and what they find.

    Args:
      data: the images.
      asked: positions of the queries [Q].
      held: positions of the gallery [N].
      found: places in the gallery, nearest first [Q, K].
      seed: picks the queries.
    """
    labels = data.table.labels
    chosen = pick(np.isin(labels[asked, -1], labels[held, -1]), seed)
    return tuple(_answer(data, int(asked[q]), held[found[q]]) for q in chosen)


def by_class(
    table: ImageTable, asked: np.ndarray, values: np.ndarray
) -> dict[str, tuple[int, float]]:
    """Returns finest class -> how many queries it has, and the mean of their values.

    Args:
      table: all images.
      asked: positions of the queries [Q].
      values: of each query [Q].
    """
    label, names = table.labels[asked, -1], table.classes[-1]
    means = {int(one): values[label == one].mean() for one in np.unique(label)}
    return {names[c]: (int((label == c).sum()), float(v)) for c, v in means.items()}


def photo_map(
    table: ImageTable, asked: np.ndarray, vectors: np.ndarray
) -> EmbeddingMap | None:
    """Returns some queries, evenly spread, coloured by the coarser of their classes.

    Args:
      table: all images.
      asked: positions of the queries [Q].
      vectors: their embeddings [Q, D].
    """
    if len(asked) < LEAST or not np.isfinite(vectors).all():
        return None
    size = min(len(asked), MAPPED)
    chosen = np.linspace(0, len(asked) - 1, size).astype(int)
    level = max(len(table.levels) - 2, 0)
    groups = [[table.classes[level][i]] for i in table.labels[asked[chosen], level]]
    titles = [_title(table, int(i)) for i in asked[chosen]]
    return EmbeddingMap(vectors[chosen], titles, main_tags(groups))


def _answer(data: HasImages, query: int, near: np.ndarray) -> Answer:
    """Returns what a photograph finds among others, nearest first [K]."""
    labels = data.table.labels
    shared = (labels[near] == labels[query]).cumprod(1).sum(1)
    levels = labels.shape[1]
    marks = [RIGHT if s == levels else NEAR if s else WRONG for s in shared]
    shown = [
        photo_shown(data, int(position), mark=mark)
        for position, mark in zip(near[:SHOWN], marks, strict=False)
    ]
    missed = ()
    if RIGHT not in marks[:SHOWN]:
        place = marks.index(RIGHT) if RIGHT in marks else -1
        note = f"first at place {place + 1:,}" if place >= 0 else "farther off"
        missed = (Shown(_class(data.table, query), note),)
    return Answer(photo_shown(data, query), (), (), tuple(shown), missed)


def photo_shown(
    data: HasImages, position: int, note: str = "", mark: str = ""
) -> Shown:
    """Returns a photograph by its finest class."""

    def picture() -> bytes:
        return thumbnail(data.center_crops([position], SIDE)[0])

    return Shown(_class(data.table, position), note, mark, picture)


def _class(table: ImageTable, position: int) -> str:
    return table.classes[-1][table.labels[position, -1]]


def _title(table: ImageTable, position: int) -> str:
    return f"{_class(table, position)} ({table.names[position]})"
