"""The paper's evaluation: predict each day's actions from those before it (section 5).

Retrieval: each of e embeddings asks for floor(400 / e) items. Relevance is the share of
the day's actions whose cosine with any retrieved item is at least 0.8, recall the share
retrieved themselves. Ranking: the day's actions among sampled others, by the largest
cosine with any embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from recjax.users.importance import sample
from recjax.users.profile import DAY
from recjax.users.retrieve import Exact


@dataclass(frozen=True)
class Walk:
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


def evaluate(
    methods: Mapping[str, tuple[Callable, int]],
    vectors: np.ndarray,
    user: np.ndarray,
    item: np.ndarray,
    time: np.ndarray,
    walk: Walk,
) -> dict[str, np.ndarray]:
    """Returns each user's figures by method: name -> float64 [users, len(METRICS)].

    Days without actions of a user, and users without history on a day, are left out; a
    user's figure is the mean over the actions of all days.

    Args:
      methods: name -> (actions -> embeddings, how many are drawn).
      vectors: unit vectors of the items, float32 [N, D].
      user: of each action, [E], in ascending order.
      item: of each action, rows of `vectors`.
      time: unix seconds, ascending within a user.
      walk: how.
    """
    bounds = np.flatnonzero(np.diff(user, prepend=-1, append=-2))
    known = _Kept(Exact(vectors))
    sums: dict[str, list] = {name: [] for name in methods}
    for begin, end in zip(bounds[:-1], bounds[1:], strict=True):
        draw = np.random.default_rng([walk.seed, int(user[begin])])
        own = item[begin:end], time[begin:end]
        found = {name: np.zeros(len(METRICS)) for name in methods}
        actions = 0
        for day in range(walk.days):
            now = walk.begin + day * DAY
            first, split, last = np.searchsorted(
                own[1], [now - walk.window * DAY, now, now + DAY]
            )
            first = max(first, split - walk.most)
            if first == split or split == last:
                continue
            past, ages = vectors[own[0][first:split]], (now - own[1][first:split]) / DAY
            todo = own[0][split:last]
            other = draw.integers(0, len(vectors), walk.others * len(todo))
            seed = int(draw.integers(2**62))
            actions += len(todo)
            for name, (method, e) in methods.items():
                one = method(past, ages)
                rng = np.random.default_rng(seed)
                got = _retrieve(one, e, walk.total, known, vectors, rng)
                figures = [
                    *_retrieval(got, todo, vectors, walk.near),
                    *_ranking(one[0], todo, other, vectors),
                ]
                found[name] += np.array(figures) * len(todo)
        if actions:
            for name in methods:
                sums[name].append(found[name] / actions)
    return {name: np.array(rows) for name, rows in sums.items()}


class _Kept:
    """A search that keeps answers by query: medoids are asked for again and again."""

    def __init__(self, search):
        self._search = search
        self._answers: dict[tuple[bytes, int], np.ndarray] = {}

    def __call__(self, query: np.ndarray, k: int) -> np.ndarray:
        key = query.tobytes(), k
        if key not in self._answers:
            if len(self._answers) > 50_000:
                self._answers.clear()
            self._answers[key] = self._search(query[None], k)[0]
        return self._answers[key]


def _retrieve(embeddings, e, total, search, vectors, rng) -> np.ndarray:
    chosen = sample(embeddings[1], e, rng)
    # floor(total / e) each; a user with fewer embeddings gets as many items.
    share = total // max(len(chosen), 1)
    return np.unique(np.concatenate([search(embeddings[0][c], share) for c in chosen]))


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


def lifts(
    figures: Mapping[str, np.ndarray], against: str, draws: int = 1_000
) -> dict[str, list[tuple[float, float, float]]]:
    """Returns lifts in percent with 95 % intervals, by bootstrap over users.

    Args:
      figures: what `evaluate` returned.
      against: method that the others are compared to.
      draws: of the bootstrap.

    Returns:
      Method -> (lift, low, high) for each of `METRICS`.
    """
    rng = np.random.default_rng(0)
    users = len(figures[against])
    weight = rng.multinomial(users, np.full(users, 1 / users), draws) / users
    base = weight @ figures[against]
    out = {}
    for name, rows in figures.items():
        all_ = 100 * (weight @ rows / base - 1)
        plain = 100 * (rows.mean(0) / figures[against].mean(0) - 1)
        low, high = np.percentile(all_, [2.5, 97.5], axis=0)
        out[name] = list(zip(plain.tolist(), low.tolist(), high.tolist(), strict=True))
    return out


def report(figures: Mapping[str, np.ndarray], against: str = "last item") -> str:
    """Returns the table in Markdown: means, and lifts over one method."""
    lines = [
        "| method | relevance | lift, 95 % | recall | lift, 95 % | diversity "
        "| R-precision | recip. rank |",
        "|---|---|---|---|---|---|---|---|",
    ]
    better = lifts(figures, against)
    for name, rows in figures.items():
        mean = rows.mean(0)
        shown = [
            f"{up:+.0f} ({low:+.0f}..{high:+.0f})" for up, low, high in better[name]
        ]
        cells = (
            *(f"{mean[0]:.4f}", shown[0], f"{mean[1]:.4f}", shown[1]),
            *(f"{value:.4f}" for value in mean[2:]),
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
