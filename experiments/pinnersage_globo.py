r"""PinnerSage on Globo's news clicks: 16 days of October 2017, predicted day by day.

    python experiments/pinnersage_globo.py

Articles get vectors from the clicks of the first days alone (co-occurrence,
factorised). Articles that first appear later have none: clicks on these are left out,
and counted. Alpha, the threshold of complete linkage, k and the decay are chosen on
users who are not reported.

HierTCN's embedding of a user, and of each cluster, are rows of their own, from a bundle
of a model that was trained on the clicks of the same first days:

    python experiments/pinnersage_globo.py --early early.parquet
    recjax data prepare --events early.parquet --out globo_early --gap 1800 \
        --item-events 20 --user-events 2 --longest 48
    recjax train experiments/hiertcn_globo.py \
        --set data.source=globo_early --set steps=1000 --variant plain --workdir r
    recjax export r --to b
    python experiments/pinnersage_globo.py --hiertcn b
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from recjax.data.cooccurrence import Cooccurrence
from recjax.data.events import Events
from recjax.errors import UserError
from recjax.paths import find_raw
from recjax.seconds import DAY
from recjax.users.paper.bootstrap import report
from recjax.users.paper.methods import (
    Clustered,
    CompleteLinkage,
    DecayAverage,
    KMeans,
    Ward,
    single,
    table,
)
from recjax.users.paper.nearest_embedding_accuracy import nearest_embedding_accuracy
from recjax.users.paper.rolling_evaluation import (
    METRICS,
    Given,
    RollingEvaluation,
    evaluate,
)
from recjax.users.paper.session_rivals import known_items, one_query, query_of_clusters

WIDTH = 64
LEAST = 20
"""Clicks of an article in the first days, for it to have a vector."""
GRIDS = {
    "alpha": (Ward, (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)),
    "apart": (CompleteLinkage, (0.5, 0.8, 1.1, 1.4, 1.7, 1.9)),
    "k": (KMeans, (2, 3, 5, 8, 12, 20)),
}
DECAYS = (0.01, 0.1, 1.0, 5.0, 25.0)
"""A day; 25 halves a click's weight in 40 minutes."""


@dataclass(frozen=True)
class Clicks:
    """Clicks by user and time; `row` is that of the article's vector, -1 for none."""

    user: np.ndarray
    article: np.ndarray
    row: np.ndarray
    time: np.ndarray

    def of(self, keep: np.ndarray) -> Clicks:
        """Returns some of them."""
        return Clicks(*(column[keep] for column in vars(self).values()))


def read_clicks() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns user, article and unix seconds of all clicks, by user and time.

    Raises:
      UserError: the data is not here.
    """
    path = find_raw("globo", "globo_full.npz")
    if path is None:
        raise UserError("globo/globo_full.npz is not in $RECJAX_DATA")
    with np.load(path) as file:
        user, item, time = (file[name] for name in ("user", "item", "ts_ms"))
    order = np.lexsort((item, time, user))
    return user[order].astype(np.int64), item[order], time[order] / 1000


def with_vectors(split: float) -> tuple[Clicks, np.ndarray]:
    """Returns all clicks, and unit vectors of articles from those before `split`."""
    user, article, time = read_clicks()
    early = time < split
    _, number = np.unique(article, return_inverse=True)
    known = np.bincount(number[early], minlength=number.max() + 1) >= LEAST
    row = np.where(known, np.cumsum(known) - 1, -1)[number]
    training = early & (row >= 0)
    events = Events(user[training], row[training], time[training], int(known.sum()))
    source, target = Cooccurrence(window=10).vectors(events, WIDTH)
    # What leads to an article and what follows it both say what it is about.
    vectors = source + target
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    row = np.where((length[:, 0] > 0)[row] & (row >= 0), row, -1)
    vectors = (vectors / np.maximum(length, 1e-12)).astype(np.float32)
    return Clicks(user, article, row, time), vectors


def popularity(clicks: Clicks, articles: int, walk: RollingEvaluation) -> Given:
    """Returns what all users clicked on in the day before, for each user and day."""
    day = np.floor((clicks.time - walk.begin) / DAY).astype(int)
    counts = np.zeros((articles, walk.days), np.float32)
    for number in range(walk.days):
        own = clicks.row[(day == number - 1) & (clicks.row >= 0)]
        counts[:, number] = np.bincount(own, minlength=articles)
    ask = np.eye(walk.days, dtype=np.float32)
    users = np.unique(clicks.user)
    keys = ((user, number) for user in users.tolist() for number in range(walk.days))
    one = np.ones(1)
    return Given(counts, {key: (ask[key[1] : key[1] + 1], one) for key in keys})


def with_hiertcn(
    bundle: Path,
    everything: Clicks,
    kept: Clicks,
    vectors: np.ndarray,
    alpha: float,
    walk: RollingEvaluation,
) -> dict[str, tuple[Given, int]]:
    """Returns the rows of a session model: name -> (embeddings, e)."""
    from recjax.serve.session import open_states

    states = open_states(bundle)
    names = np.full(len(vectors), "", object)
    with_row = everything.row >= 0
    names[everything.row[with_row]] = everything.article[with_row].astype(str)
    items, place = known_items(states, names)
    print(f"HierTCN knows {(place >= 0).mean():.3f} of the articles with vectors")
    columns = everything.user, everything.article.astype(str), everything.time
    single = one_query(states, items, *columns, walk)
    ward, columns = Ward(alpha), (kept.user, kept.row, kept.time)
    clusters = query_of_clusters(
        states, items, place, *columns, lambda row: ward(vectors[row]), walk
    )
    without = items.copy()
    without[:, -2] = 0
    return {
        "HierTCN, single": (single, 1),
        "HierTCN without its biases": (replace(single, items=without), 1),
        "HierTCN of each cluster": (clusters, 3),
        "HierTCN of each cluster, without its biases": (
            replace(clusters, items=without),
            3,
        ),
    }


def best(scores: dict) -> float:
    """Returns the setting of the highest score, and prints all."""
    shown = {key: round(float(score), 4) for key, score in scores.items()}
    print("  ", shown)
    return max(scores, key=scores.get)


def choose(run) -> dict[str, float]:
    """Returns alpha, apart, k and both decays of the highest relevance."""
    picked = {}
    print("\n## Chosen by relevance, on users who are not reported\n")
    grids: dict[str, dict] = {
        name: {value: (Clustered(kind(value)), 3) for value in grid}
        for name, (kind, grid) in GRIDS.items()
    }
    grids["mean"] = {decay: (DecayAverage(decay), 1) for decay in DECAYS}
    for name, ways in grids.items():
        print(name)
        picked[name] = best({v: f[:, 0].mean() for v, f in run(ways).items()})
    print("decay of importance")
    ward = Ward(picked["alpha"])
    ways = {decay: (Clustered(ward, decay), 3) for decay in DECAYS}
    picked["decay"] = best({v: f[:, 0].mean() for v, f in run(ways).items()})
    return picked


def main() -> None:
    """Runs the experiment."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--first", type=int, default=6, help="days that make vectors")
    parser.add_argument("--days", type=int, default=10, help="days to predict")
    parser.add_argument("--users", type=int, default=3_000, help="users to report")
    parser.add_argument("--hiertcn", type=Path, help="bundle of a session model")
    parser.add_argument("--early", type=Path, help="write the first days' clicks; stop")
    chosen = parser.parse_args()
    # Hours before 1 October 2017 in Brazil are a few clicks.
    split = 1_506_816_000.0 + chosen.first * DAY
    if chosen.early:
        user, article, time = read_clicks()
        first = {"user": user, "item": article, "timestamp": time.astype(np.int64)}
        pl.DataFrame(first).filter(time < split).write_parquet(chosen.early)
        return
    clicks, vectors = with_vectors(split)
    walk = RollingEvaluation(begin=split, days=chosen.days)
    end = split + chosen.days * DAY
    later = (clicks.time >= split) & (clicks.time < end)
    print(
        f"{len(vectors):,} articles with vectors; of {later.sum():,} clicks to predict "
        f"{(clicks.row[later] >= 0).mean():.3f} are on these, the rest is left out"
    )
    day = ((clicks.time[later] - split) // DAY).astype(int)
    known = np.bincount(day, clicks.row[later] >= 0) / np.bincount(day)
    print("share of each day's clicks:", known.round(3).tolist())
    kept = clicks.of((clicks.row >= 0) & (clicks.time < end))
    active = np.unique(kept.user[kept.time >= split])
    active = active[np.isin(active, kept.user[kept.time < split])]
    mixed = np.random.default_rng(0).permutation(active)
    report_on, choose_on = mixed[: chosen.users], mixed[chosen.users :][: chosen.users]

    def run(methods, users=choose_on):
        own = kept.of(np.isin(kept.user, users))
        return evaluate(methods, vectors, own.user, own.row, own.time, walk)

    picked = choose(run)
    own = kept.of(np.isin(kept.user, report_on))
    near = nearest_embedding_accuracy(
        single(), vectors, own.user, own.row, own.time, walk
    )
    ward = Ward(picked["alpha"])
    methods = table(picked["alpha"], picked["apart"], picked["k"])
    methods[f"decay average, {picked['mean']:g}, chosen"] = (
        DecayAverage(picked["mean"]),
        1,
    )
    tuned = Clustered(ward, picked["decay"])
    methods[f"PinnerSage, decay {picked['decay']:g}, chosen"] = (tuned, 3)
    methods["clicks of all, last day"] = (popularity(kept, len(vectors), walk), 1)
    if chosen.hiertcn:
        everything = clicks.of(np.isin(clicks.user, report_on))
        methods |= with_hiertcn(
            chosen.hiertcn, everything, own, vectors, picked["alpha"], walk
        )
    figures = run(methods, report_on)
    print(f"\n{len(figures['last item']):,} users; lifts with 95 % of a bootstrap")
    print("\n## Table 1\n\n" + report(near, ["accuracy"], ["accuracy"]))
    print("\n## Table 3\n\n" + report(figures, METRICS, ["relevance", "recall"]))
    print("\n## Table 4\n\n" + report(figures, METRICS, METRICS[3:]))
    show = [METRICS[0], METRICS[1], METRICS[3]]
    print("\n## Over PinnerSage\n\n" + report(figures, METRICS, show, "PinnerSage"))
    several = run({f"e = {e}": (Clustered(ward), e) for e in (1, 3, 5, 10)}, report_on)
    print(
        "\n## By embeddings asked\n\n" + report(several, METRICS, METRICS[:3], "e = 1")
    )


if __name__ == "__main__":
    main()
