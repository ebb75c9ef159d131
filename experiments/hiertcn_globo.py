"""Globo: which article does a reader open next? Users of the test are new.

recjax data prepare globo
recjax sweep experiments/hiertcn_globo.py --workdir runs/globo \
    --show hiertcn/recall@1,hiertcn/recall@10,hiertcn/mrr,hiertcn/non_first/mrr

HierTCN's own filter and split: 80 % of the users train, 10 % each validate and test,
all events are predicted, from an empty state on. News is recency, and nobody reads it
twice: recent popularity is a feature of the score (`RecentPopularity`), as is what
followed the last article (`Transitions`), and what the user has read (`Repeats`).
Counts that know these are tuned on validation, alone and added to the model. `sweep`
trains without `Repeats` ("_again"), without any of them ("_plain"), as the paper does,
and on vectors of items that stay as they are ("fixed"), here from clicks of training
users together.
"""

from dataclasses import replace

import recjax as rj
from recjax.data.sessions.fixed import VectorsFromEvents
from recjax.data.sessions.recent_popularity import RecentPopularity
from recjax.data.splits import ByUser
from recjax.evals.baselines.moving_average import MovingAverage
from recjax.evals.baselines.popularity import RecentPop
from recjax.evals.baselines.session_knn import SessionKnn
from recjax.evals.tuned import Tuned
from recjax.models.rivals import Rival

WIDTH = 128
TEST = rj.evals.Ranking("test", ks=(1, 5, 10, 20), coverage=False)
RECENT = Tuned(RecentPop(3_600), {"seconds": (600, 900, 1_800, 3_600)}, "mrr")
CHAIN = Tuned(
    rj.evals.Markov("session", normalize=True, recent=3_600, popularity=1e-4),
    {
        "history": (0.0, -0.1, -1.0),
        "recent": (900, 1_800, 3_600),
        "steps": (1, 3),
        "last": (1, 2, 4),
        "decay": (0.3, 0.7, 1.0),
    },
    "mrr",
)
COUNTS = {"recent": RECENT, "chain": CHAIN}


def experiment() -> rj.Experiment:
    """Returns the experiment."""
    return rj.Experiment(
        name="hiertcn_globo",
        seed=0,
        steps=1_200,
        data=rj.data.NextInSession(
            "globo",
            split=ByUser(),
            layout=rj.data.Packed(rows=32, events=48, sessions=24),
            negatives=1_024,
            pairs=(RecentPopularity(), rj.data.Transitions(), rj.data.Repeats()),
        ),
        model=rj.models.SessionModel(
            encoder=rj.nn.HierTcn(
                high=rj.nn.SessionStates(rj.nn.Gru(WIDTH, 2)),
                low=rj.nn.Tcn(256, blocks=2, kernel=5, convs=1, gated=True),
                width=WIDTH,
                dropout=0.1,
                skip=True,
            ),
            width=WIDTH,
            cosine=True,
            scale=16.0,
        ),
        losses={"softmax": rj.losses.ItemSoftmax()},
        optimizer=rj.optim.Optimizer(
            rules={
                "tables/.*": rj.optim.RowwiseAdagrad(0.1),
                "pair/.*": rj.optim.Adam(1e-2),
                ".*": rj.optim.Adam(2e-3),
            },
            schedule=rj.optim.WarmupCosine(warmup=200),
        ),
        evals={
            "fusion": replace(
                TEST, scorer=rj.evals.Fusion({**COUNTS, "model": None}, "mrr")
            ),
            "hiertcn": TEST,
            "counts": replace(TEST, scorer=rj.evals.Fusion(COUNTS, "mrr")),
            "chain": replace(TEST, scorer=CHAIN),
            "recent": replace(TEST, scorer=RECENT),
            "popularity": replace(TEST, scorer=rj.evals.Popularity()),
            "item_knn": replace(TEST, scorer=SessionKnn()),
            "moving_average": replace(TEST, scorer=MovingAverage()),
            "last_hour": replace(TEST, scorer=RecentPop(3_600)),
            "markov": replace(TEST, scorer=rj.evals.Markov("session")),
            "markov_last_hour": replace(
                TEST, scorer=rj.evals.Markov("session", recent=3_600)
            ),
            "validation": replace(TEST, split="validation", every=500, nth=8),
        },
        best="validation/mrr",
        export=rj.bundle.SessionBundle(),
    )


def sweep(base: rj.Experiment) -> dict[str, rj.Experiment]:
    """Returns HierTCN and its rivals, also without features of pairs."""
    evals = {name: one for name, one in base.evals.items() if one.trained}
    whole = replace(base, evals=evals)
    rules = dict(base.optimizer.rules)
    del rules["pair/.*"]
    again = replace(
        whole,
        data=replace(base.data, pairs=base.data.pairs[:2]),
        optimizer=replace(base.optimizer, rules=rules),
    )
    # What is clicked on now says more than the time since a user's session before;
    # without it, that time is what tells old news from new.
    encoder = base.model.encoder
    timed = encoder.clone(
        high=encoder.high.clone(gap=True),
        low=encoder.low.clone(width=WIDTH, gated=False),
    )
    plain = replace(
        whole,
        data=replace(base.data, pairs=()),
        model=replace(base.model, encoder=timed),
    )
    fixed = replace(plain.data, vectors=VectorsFromEvents(WIDTH))
    variants = {
        "hiertcn": whole,
        "again": again,
        "plain": plain,
        "fixed": replace(plain, data=fixed),
    }
    for kind in ("hiergru", "hrnn", "gru", "tcn"):
        size = 16 if "tiny" in base.name else None
        encoder = Rival(kind, WIDTH, size, dropout=0.1)
        model = replace(base.model, encoder=encoder)
        for name, one in (("", whole), ("_again", again), ("_plain", plain)):
            variants[f"{kind}{name}"] = replace(one, model=model)
    return variants


def tiny() -> rj.Experiment:
    """Returns the same experiment, small enough for continuous integration."""
    full = experiment()
    data = replace(full.data, layout=rj.data.Packed(16, 48, 16), negatives=64)
    chain = {"chain": replace(CHAIN, grid={"history": (0.0, -1.0)}), "recent": RECENT}
    fusion = replace(TEST, scorer=rj.evals.Fusion({**chain, "model": None}, "mrr"))
    left_out = ("counts", "chain", "recent")
    evals = {n: one for n, one in full.evals.items() if n not in left_out}
    evals["fusion"] = fusion
    return replace(full, name="hiertcn_globo_tiny", steps=20, data=data, evals=evals)
