"""Methods for users beside each other, on events that are held out.

Each method takes the settings that do best on the validation users; all are reported on
the test users, with 95 % intervals by bootstrap over users, on the same resamples.
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

import numpy as np

from recjax.evals.baselines.item_knn import ItemKnn
from recjax.evals.baselines.popularity import Popularity
from recjax.evals.fusion import Fused, Fusion
from recjax.evals.scorer import Scorer, rank_scores
from recjax.evals.tuned import Tuned
from recjax.metrics.bootstrap import interval
from recjax.metrics.ranking import of_queries
from recjax.seconds import DAY, HOUR
from recjax.users.held_out import HeldOut
from recjax.users.interests import Embedded, Interests, Shared
from recjax.users.paper.methods import Clustered, DecayAverage, KMeans, LastItem

DECAYS = (0.01, 0.0, 0.003, 0.03, 0.1, 0.3, 1.0)
ONE_CLUSTER = 1e9
"""An alpha at which all that a user did is one cluster."""
GRID = {
    "kind": ("medoid", "centroid"),
    "sampled": (True, False),
    "e": (3, 1, 2, 5, 10, 20),
    "alpha": (1.0, 0.2, 0.5, 1.5, 2.0, 3.0, 5.0, 10.0, ONE_CLUSTER),
    "decay": DECAYS,
}
HIDDEN = ("vectors", "shared", "total")
MEAN, CHOSEN, FUSION = "mean vector", "PinnerSage, chosen", "all added up"


@dataclass(frozen=True)
class Row:
    """What a method found.

    Attributes:
      name: of the method.
      settings: those that were chosen, or that it has.
      recall: K -> share of what each test user did that is in its first K [users].
      seconds: that it took, choosing included.
    """

    name: str
    settings: Mapping[str, Any]
    recall: Mapping[int, np.ndarray]
    seconds: float

    def about(self, k: int, beside: Row | None = None) -> tuple[float, float, float]:
        """Returns mean recall@k and its interval; with `beside`, of the difference."""
        values = self.recall[k] - (0 if beside is None else beside.recall[k])
        low, high = interval(values)
        return float(values.mean()), low, high


def evaluate(
    data: HeldOut, ks: Sequence[int], say: Callable[[str], None] = lambda text: None
) -> list[Row]:
    """Returns the rows of all methods.

    Args:
      data: the events.
      ks: lengths of lists, rising; settings are chosen by the last.
      say: is told what is being done.
    """
    metric = f"recall_by_query@{ks[-1]}"
    queries, rows, chosen = data.queries("test"), [], {}

    def add(name: str, scorer: Any) -> None:
        say(f"{name} ...")
        begin = time.perf_counter()
        if isinstance(scorer, Tuned):
            scorer = chosen[name] = scorer.choose(data)
        scores = scorer.fit(data, queries)
        weights = scores.chosen.weights if isinstance(scores, Fused) else None
        settings = _settings(scorer) if weights is None else dict(weights)
        ranks = rank_scores(queries.task, scores)
        recall = {
            k: of_queries(queries.task, ranks, f"recall_by_query@{k}")[0] for k in ks
        }
        rows.append(Row(name, settings, recall, time.perf_counter() - begin))
        say(f"  recall@{ks[-1]} {recall[ks[-1]].mean():.4f}  {_told(settings)}")

    for name, scorer in methods(data, ks[-1], metric):
        add(name, scorer)
    parts: dict[str, Scorer | None] = {"popularity": Popularity(), **chosen}
    add(FUSION, Fusion(parts, metric))
    return rows


def methods(data: HeldOut, most: int, metric: str) -> Iterator[tuple[str, Any]]:
    """Yields the methods: name, and a scorer or one that is to be tuned."""
    shared = Shared()
    own = {"vectors": data.items, "total": most, "shared": shared}

    def mean(decay: float) -> Embedded:
        return Embedded(method=DecayAverage(decay), e=1, **own)

    def k_means(k: int, center: bool) -> Clustered:
        return Clustered(KMeans(k), 0.01, center)

    yield "popularity", Popularity()
    yield "last item", Embedded(method=LastItem(), e=1, **own)
    yield MEAN, mean(0.0)
    decays = {"method": tuple(map(DecayAverage, DECAYS))}
    yield "decayed mean", Tuned(mean(0.01), decays, metric)
    some = tuple(k_means(*one) for one in product((5, 3, 10), (False, True)))
    grid = {"method": some, "e": (3, 5, 10)}
    yield "k-means", Tuned(Embedded(method=some[0], **own), grid, metric)
    yield "PinnerSage, published", Interests(**own)
    yield CHOSEN, Tuned(Interests(**own), GRID, metric)
    knn = {
        "recency_power": (1.4, 0.7, 0.3, 0.0),
        "age_scale": (60.0, HOUR, DAY),
    }
    yield "item-kNN", Tuned(ItemKnn(), knn, metric)


def _settings(scorer: Any) -> dict[str, Any]:
    named = [one.name for one in fields(scorer) if one.name not in HIDDEN]
    found = {name: getattr(scorer, name) for name in named}
    return {name: value for name, value in found.items() if value is not None}


def _told(settings: Mapping[str, Any]) -> str:
    shown = {
        name: f"{value:.3g}" if isinstance(value, float) else value
        for name, value in settings.items()
    }
    return ", ".join(f"{name} {value}" for name, value in shown.items())


def table(rows: Sequence[Row]) -> str:
    """Returns the rows for people, the best last column last."""
    ks = list(rows[0].recall)
    width = max(len(row.name) for row in rows)
    head = "".join(f"  {f'recall@{k}':>10} {'95 %':15}" for k in ks)
    lines = [f"{'method':{width}}{head}  {'seconds':>7}"]
    for row in rows:
        cells = ""
        for k in ks:
            mean, low, high = row.about(k)
            cells += f"  {mean:10.4f} {f'[{low:.4f}, {high:.4f}]':15}"
        lines.append(f"{row.name:{width}}{cells}  {row.seconds:7.1f}")
    return "\n".join(lines)


def verdict(rows: Sequence[Row]) -> str:
    """Returns who wins, in a sentence; and what the chosen setting is worth."""
    k = list(rows[0].recall)[-1]
    by_name = {row.name: row for row in rows}
    first, second = sorted(rows, key=lambda row: -row.recall[k].mean())[:2]
    gain, low, high = first.about(k, second)
    told = f"{gain:+.4f} [{low:+.4f}, {high:+.4f}]"
    apart = "wins" if low > 0 else "leads within the error"
    own = by_name[CHOSEN].about(k, by_name[MEAN])
    word = "better than" if own[1] > 0 else "worse than" if own[2] < 0 else "as good as"
    return (
        f"{first.name} {apart}: recall@{k} {first.recall[k].mean():.4f}, {told} "
        f"over {second.name}.\n{CHOSEN} ({_told(by_name[CHOSEN].settings)}) is {word} "
        f"the {MEAN}: {own[0]:+.4f} [{own[1]:+.4f}, {own[2]:+.4f}]."
    )


def as_json(rows: Sequence[Row], facts: Mapping[str, Any]) -> str:
    """Returns the rows and what they are of as JSON."""
    told = [
        {
            "method": row.name,
            "settings": {n: _plain(value) for n, value in row.settings.items()},
            "recall": {str(k): row.about(k)[0] for k in row.recall},
            "interval": {str(k): row.about(k)[1:] for k in row.recall},
            "seconds": round(row.seconds, 1),
        }
        for row in rows
    ]
    whole = {"data": dict(facts), "rows": told, "verdict": verdict(rows)}
    return json.dumps(whole, indent=1) + "\n"


def as_csv(rows: Sequence[Row], facts: Mapping[str, Any]) -> str:
    """Returns a line a method and K."""
    del facts
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(("method", "k", "recall", "low", "high", "settings", "seconds"))
    for row in rows:
        for k in row.recall:
            figures = (f"{value:.6f}" for value in row.about(k))
            settings = _told(row.settings)
            lines.writerow((row.name, k, *figures, settings, f"{row.seconds:.1f}"))
    return out.getvalue()


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str) else str(value)
