"""The paper's evaluation: predict each day's actions from those before it (section 5).

Retrieval: each of e embeddings asks for floor(400 / e) items. Relevance is the share of
the day's actions whose cosine with any retrieved item is at least 0.8, recall the share
retrieved themselves. Ranking: the day's actions among sampled others, by the largest
cosine with any embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recjax.index.exact import Exact
from recjax.seconds import DAY
from recjax.users.importance import sample


@dataclass(frozen=True)
class RollingEvaluation:
    """How to evaluate.

    Attributes:
      begin: unix seconds, the first day to predict.
      days: how many.
      window: days of history that count.
      most: newest actions of a user that count.
      total: items retrieved a user and day.
      near: cosine from which a retrieved item is relevant.
      others: sampled items for each action, to rank against.
      seed: of the draws.
    """

    begin: float
    days: int
    window: float = 90.0
    most: int = 500
    total: int = 400
    near: float = 0.8
    others: int = 20
    seed: int = 0


METRICS = ("relevance", "recall", "diversity", "r_precision", "reciprocal_rank")


@dataclass(frozen=True)
class Given:
    """Embeddings that another model made, in a space of its own.

    Attributes:
      items: its vectors of the items, float32 [N, D'], rows as in the evaluation; zero
        where it has none.
      embedding: (user, day) -> vectors float32 [C, D'] and their importance [C]; users
        that it does not know have none, and get nothing right.
    """

    items: np.ndarray
    embedding: Mapping[tuple[int, int], tuple[np.ndarray, np.ndarray]]

    @cached_property
    def search(self) -> Callable:
        """Finds neighbours among its items."""
        exact = Exact(self.items)
        return lambda queries, k: exact.search(queries, k)[0]


Method = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]] | Given
"""(actions [m, D], ages in days [m]) -> embeddings [C, D], importance [C]; or Given."""


@dataclass(frozen=True)
class Day:
    """A day of a user that has actions, and a history before it.

    Attributes:
      number: of the day, from 0.
      now: unix seconds, its beginning.
      past: places of the actions that count as history.
      todo: places of the actions of the day.
    """

    number: int
    now: float
    past: slice
    todo: slice


def user_days(
    user: np.ndarray, time: np.ndarray, walk: RollingEvaluation
) -> Iterator[tuple[int, list[Day]]]:
    """Yields each user with the days to predict.

    Args:
      user: of each action, [E], in ascending order.
      time: unix seconds, ascending within a user.
      walk: how.
    """
    bounds = np.flatnonzero(np.diff(user, prepend=-1, append=-2))
    for begin, end in zip(bounds[:-1], bounds[1:], strict=True):
        days = []
        for number in range(walk.days):
            now = walk.begin + number * DAY
            ends = [now - walk.window * DAY, now, now + DAY]
            first, split, last = begin + np.searchsorted(time[begin:end], ends)
            first = max(first, split - walk.most)
            if first < split < last:
                days.append(Day(number, now, slice(first, split), slice(split, last)))
        yield int(user[begin]), days


def evaluate(
    methods: Mapping[str, tuple[Method, int]],
    vectors: np.ndarray,
    user: np.ndarray,
    item: np.ndarray,
    time: np.ndarray,
    walk: RollingEvaluation,
) -> dict[str, np.ndarray]:
    """Returns each user's figures by method: name -> float64 [users, len(METRICS)].

    Days without actions of a user, and users without history on a day, are left out; a
    user's figure is the mean over the actions of all days. What stands in for
    impressions is drawn from what all these users acted on that day.

    Args:
      methods: name -> (method, how many embeddings are drawn).
      vectors: unit vectors of the items, float32 [N, D].
      user: of each action, [E], in ascending order.
      item: of each action, rows of `vectors`.
      time: unix seconds, ascending within a user.
      walk: how.
    """
    known = _Kept(vectors)
    shown = [
        item[(time >= now) & (time < now + DAY)]
        for now in walk.begin + DAY * np.arange(walk.days)
    ]
    sums: dict[str, list] = {name: [] for name in methods}
    for one, days in user_days(user, time, walk):
        draw = np.random.default_rng([walk.seed, one])
        found = {name: np.zeros(len(METRICS)) for name in methods}
        actions = 0
        for day in days:
            past, todo = vectors[item[day.past]], item[day.todo]
            ages = (day.now - time[day.past]) / DAY
            other = draw.choice(shown[day.number], walk.others * len(todo))
            seed = int(draw.integers(2**62))
            actions += len(todo)
            for name, (method, e) in methods.items():
                space, search = vectors, known
                if isinstance(method, Given):
                    space, search = method.items, method.search
                    embeddings = method.embedding.get((one, day.number))
                    if embeddings is None:
                        continue
                else:
                    embeddings = method(past, ages)
                rng = np.random.default_rng(seed)
                got = _retrieve(embeddings, e, walk.total, search, rng)
                figures = [
                    *_retrieval(got, todo, vectors, walk.near),
                    *_ranking(embeddings[0], todo, other, space),
                ]
                found[name] += np.array(figures) * len(todo)
        if actions:
            for name in methods:
                sums[name].append(found[name] / actions)
    return {name: np.array(rows) for name, rows in sums.items()}


class _Kept:
    """A search that keeps answers by query: medoids are asked for again and again."""

    def __init__(self, vectors: np.ndarray):
        self._exact = Exact(vectors)
        self._answers: dict[tuple[bytes, int], np.ndarray] = {}

    def __call__(self, queries: np.ndarray, k: int) -> list[np.ndarray]:
        keys = [(query.tobytes(), k) for query in queries]
        new = [i for i, key in enumerate(keys) if key not in self._answers]
        if new:
            if len(self._answers) > 50_000:
                self._answers.clear()
                new = list(range(len(keys)))
            found = self._exact.search(queries[new], k)[0]
            self._answers.update(zip((keys[i] for i in new), found, strict=True))
        return [self._answers[key] for key in keys]


def _retrieve(embeddings, e, total, search, rng) -> np.ndarray:
    chosen = sample(embeddings[1], e, rng)
    # floor(total / e) each; a user with fewer embeddings gets as many items.
    share = total // max(len(chosen), 1)
    return np.unique(np.concatenate(list(search(embeddings[0][chosen], share))))


def _retrieval(got, todo, vectors, near) -> tuple[float, float, float]:
    close = (vectors[todo] @ vectors[got].T).max(1) >= near
    mean = vectors[got].mean(0, dtype=np.float64)
    n = len(got)
    # Mean distance 1 - cosine over all pairs of different items.
    diversity = (n - n * float(mean @ mean)) / max(n - 1, 1)
    return close.mean(), np.isin(todo, got).mean(), diversity


def _ranking(embeddings, todo, other, vectors) -> tuple[float, float]:
    score = (vectors[np.concatenate([todo, other])] @ embeddings.T).max(1)
    own, rest = score[: len(todo)], score[len(todo) :]
    order = np.argsort(-np.concatenate([rest, own]), kind="stable")
    hits = order >= len(rest)
    rank = 1 + (rest[None] >= own[:, None]).sum(1)
    return hits[: len(todo)].mean(), (1 / rank).mean()
