"""PinnerSage on Globo's news clicks: 16 days of October 2017, predicted day by day.

    python experiments/pinnersage_globo.py

Articles get vectors from the clicks of the first days alone (co-occurrence,
factorised). Articles that first appear later have none: clicks on these are left out,
and counted. Alpha and the threshold of complete linkage are chosen on users who are
not reported.
"""

from __future__ import annotations

import argparse

import numpy as np

from recjax.data.cooccurrence import Cooccurrence
from recjax.data.events import Events
from recjax.data.paths import find_raw
from recjax.errors import UserError
from recjax.users.methods import Clustered, CompleteLinkage, Ward, table
from recjax.users.profile import DAY
from recjax.users.walk import Walk, evaluate, report

WIDTH = 64
LEAST = 20
"""Clicks of an article in the first days, for it to have a vector."""
ALPHAS = (0.5, 1.0, 2.0, 4.0)
APARTS = (0.5, 1.0, 1.5)


def read_clicks() -> dict[str, np.ndarray]:
    """Returns all clicks by user and time, at most one of a user, article and second.

    Raises:
      UserError: the data is not here.
    """
    path = find_raw("globo", "globo_full.npz")
    if path is None:
        raise UserError("globo/globo_full.npz is not in $RECJAX_DATA")
    with np.load(path) as file:
        columns = {name: file[name] for name in ("user", "item", "ts_ms")}
    order = np.lexsort((columns["item"], columns["ts_ms"], columns["user"]))
    return {name: column[order].astype(np.int64) for name, column in columns.items()}


def main() -> None:
    """Runs the experiment."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--first", type=int, default=6, help="days that make vectors")
    parser.add_argument("--days", type=int, default=10, help="days to predict")
    parser.add_argument("--users", type=int, default=3_000, help="users to report")
    chosen = parser.parse_args()
    clicks = read_clicks()
    time = clicks["ts_ms"] / 1000
    begin = np.floor(np.percentile(time, 0.01) / DAY) * DAY
    split = begin + chosen.first * DAY
    early = time < split
    _, article = np.unique(clicks["item"], return_inverse=True)
    known = np.bincount(article[early], minlength=article.max() + 1) >= LEAST
    row = np.where(known, np.cumsum(known) - 1, -1)[article]
    training = early & (row >= 0)
    events = Events(
        clicks["user"][training], row[training], time[training], int(known.sum())
    )
    source, target = Cooccurrence(window=10).vectors(events, WIDTH)
    # What leads to an article and what follows it both say what it is about.
    vectors = source + target
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    row = np.where((length[:, 0] > 0)[row] & (row >= 0), row, -1)
    vectors = (vectors / np.maximum(length, 1e-12)).astype(np.float32)
    later = (time >= split) & (time < split + chosen.days * DAY)
    print(
        f"{len(vectors):,} articles with vectors; of {later.sum():,} clicks to predict "
        f"{(row[later] >= 0).mean():.3f} are on these, the rest is left out"
    )
    kept = (row >= 0) & (time < split + chosen.days * DAY)
    user, item, time = clicks["user"][kept], row[kept], time[kept]
    active = np.unique(user[time >= split])
    active = active[np.isin(active, user[time < split])]
    rng = np.random.default_rng(0)
    mixed = rng.permutation(active)
    report_on, choose_on = mixed[: chosen.users], mixed[chosen.users :][:500]
    walk = Walk(begin=split, days=chosen.days)

    def run(methods, users):
        own = np.isin(user, users)
        return evaluate(methods, vectors, user[own], item[own], time[own], walk)

    wards = {a: (Clustered(Ward(a)), 3) for a in ALPHAS}
    chains = {a: (Clustered(CompleteLinkage(a)), 3) for a in APARTS}
    best = []
    for name, ways in (("alpha", wards), ("complete linkage", chains)):
        scores = {a: f[:, 0].mean() for a, f in run(ways, choose_on).items()}
        best.append(max(scores, key=scores.get))
        print(
            f"validation, relevance by {name}:",
            {a: round(float(s), 4) for a, s in scores.items()},
        )
    figures = run(table(*best), report_on)
    print(f"test: {len(figures['last item']):,} users; lifts with 95 % of a bootstrap")
    print(report(figures))
    several = {f"e = {e}": (Clustered(Ward(best[0])), e) for e in (1, 3, 5, 10)}
    print(report(run(several, report_on), "e = 1"))


if __name__ == "__main__":
    main()
