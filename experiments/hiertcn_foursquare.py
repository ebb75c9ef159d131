"""Check-ins in New York: where next? Habits, transitions and HierTCN, added up.

recjax data prepare foursquare_nyc
recjax train experiments/hiertcn_foursquare.py --workdir runs/foursquare

People go where they went before, at the same hour, and from there to the same place
again: counts that know time are hard to beat, and take seconds. Their settings and all
weights are chosen on validation, each user's last session but one.
"""

from dataclasses import replace

import recjax as rj
from recjax.evals.baselines.history import History
from recjax.evals.tuned import Tuned

WIDTH = 64
TEST = rj.evals.Ranking("test", ks=(1, 5, 10, 20), coverage=False)
HABITS = Tuned(
    History(),
    {
        "hours": (None, 1.0, 2.0, 3.0),
        "away": (0.0, 0.1, 0.3),
        "weekday": (1.0, 0.8, 0.6),
        "decay": (1.0, 0.995, 0.98, 0.95),
        "half_life": (None, 30.0, 60.0, 120.0),
    },
    "mrr",
)
CHAIN = Tuned(
    rj.evals.Markov(normalize=True, popularity=1e-4),
    {
        "steps": (1, 2, 3, 5),
        "last": (1, 2, 4, 8),
        "decay": (0.3, 0.5, 0.7, 1.0),
        "history": (0.0, 0.1, 0.4),
        "history_decay": (None, 0.9, 0.98),
    },
    "mrr",
)
COUNTS = {"habits": HABITS, "chain": CHAIN}


def experiment() -> rj.Experiment:
    """Returns the experiment."""
    return rj.Experiment(
        name="hiertcn_foursquare",
        seed=0,
        steps=400,
        data=rj.data.NextInSession(
            "foursquare_nyc",
            split=rj.data.LastOut(),
            layout=rj.data.Packed(rows=32, events=448, sessions=96),
            negatives=2_048,
            popularity=0.75,
            pairs=(
                rj.data.Repeats(),
                rj.data.Transitions(steps=5, last=8, decay=0.7),
                rj.data.Habits(hours=2.0, away=0.0, weekday=0.6, half_life=60.0),
            ),
        ),
        model=rj.models.SessionModel(
            encoder=rj.nn.HierTcn(
                high=rj.nn.SessionStates(
                    rj.nn.Gru(WIDTH), dropout=0.2, frozen_items=True
                ),
                low=rj.nn.Tcn(128, blocks=2, convs=1, gated=True),
                width=WIDTH,
                dropout=0.4,
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
            schedule=rj.optim.WarmupCosine(warmup=40),
        ),
        evals={
            "fusion": replace(
                TEST, scorer=rj.evals.Fusion({**COUNTS, "model": None}, "mrr")
            ),
            "hiertcn": TEST,
            "counts": replace(TEST, scorer=rj.evals.Fusion(COUNTS, "mrr")),
            "habits": replace(TEST, scorer=HABITS),
            "chain": replace(TEST, scorer=CHAIN),
            "history": replace(TEST, scorer=History()),
            "popularity": replace(TEST, scorer=rj.evals.Popularity()),
            "validation": replace(TEST, split="validation", every=100),
        },
        best="validation/mrr",
        export=rj.bundle.SessionBundle(),
    )


def tiny() -> rj.Experiment:
    """Returns the same experiment, small enough for continuous integration."""
    full = experiment()
    few = {"decay": (1.0, 0.9)}
    counts = {"habits": replace(HABITS, grid=few), "chain": replace(CHAIN, grid=few)}
    evals = {
        "fusion": replace(
            TEST, scorer=rj.evals.Fusion({**counts, "model": None}, "mrr")
        ),
        "hiertcn": TEST,
        "validation": replace(full.evals["validation"], every=8),
    }
    # As long a row: the longest session of the real data has 442 events.
    data = replace(full.data, layout=rj.data.Packed(16, 448, 64), negatives=64)
    return replace(
        full, name="hiertcn_foursquare_tiny", steps=8, data=data, evals=evals
    )
