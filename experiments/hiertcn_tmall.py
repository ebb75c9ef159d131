"""Tmall: what does a shopper look at next? HierTCN over days of shopping.

recjax data prepare tmall
recjax train experiments/hiertcn_tmall.py --workdir runs/hiertcn_tmall

The last day of each user is test, the day before validation. Counts are tuned on that
day, alone and added to the model. A final fit sees it as well:

recjax sweep experiments/hiertcn_tmall.py --workdir runs/final --only hiertcn \
    --set best=None --set evals.validation.every=0 \
    --set "data.fit=('train', 'validation')" --show hiertcn/recall@10,hiertcn/mrr
"""

from dataclasses import replace

import recjax as rj
from recjax.evals.baselines.history import History
from recjax.evals.baselines.markov import HISTORY, SKIP
from recjax.evals.baselines.moving_average import MovingAverage
from recjax.evals.baselines.session_knn import SessionKnn
from recjax.evals.tuned import Tuned
from recjax.losses.pairwise import Bpr, Hinge, Nce, Top1

WIDTH = 128
TEST = rj.evals.Ranking("test", ks=(1, 5, 10, 20), coverage=False)
CHAIN = Tuned(
    SKIP,
    {
        "steps": (1, 3, 5),
        "last": (4, 8, 16),
        "decay": (0.3, 0.5),
        "history": (0.0, 0.02, 0.1),
        "history_decay": (None, 0.9, 0.98),
    },
    "mrr",
)
COUNTS = {
    "chain": CHAIN,
    "habits": Tuned(History(), {"decay": (1.0, 0.98, 0.9)}, "mrr"),
    "item_knn": SessionKnn(),
}


def experiment() -> rj.Experiment:
    """Returns the experiment."""
    return rj.Experiment(
        name="hiertcn_tmall",
        seed=0,
        steps=1_500,
        data=rj.data.NextInSession(
            "tmall",
            split=rj.data.LastOut(),
            layout=rj.data.Packed(rows=32, events=48, sessions=24),
            negatives=4_096,
            popularity=0.75,
            pairs=(rj.data.Repeats(), rj.data.Transitions()),
        ),
        model=rj.models.SessionModel(
            encoder=rj.nn.HierTcn(
                high=rj.nn.SessionStates(
                    rj.nn.Gru(WIDTH), dropout=0.2, frozen_items=True
                ),
                low=rj.nn.Tcn(256, blocks=2, convs=1, gated=True),
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
                ".*": rj.optim.Adam(2e-3),
            },
            schedule=rj.optim.WarmupCosine(warmup=100),
        ),
        evals={
            "fusion": replace(
                TEST, scorer=rj.evals.Fusion({**COUNTS, "model": None}, "mrr")
            ),
            "hiertcn": TEST,
            "counts": replace(TEST, scorer=rj.evals.Fusion(COUNTS, "mrr")),
            "chain": replace(TEST, scorer=CHAIN),
            "popularity": replace(TEST, scorer=rj.evals.Popularity()),
            "markov": replace(TEST, scorer=rj.evals.Markov()),
            "markov_history": replace(TEST, scorer=HISTORY),
            "skip_history": replace(TEST, scorer=SKIP),
            "item_knn": replace(TEST, scorer=SessionKnn()),
            "moving_average": replace(TEST, scorer=MovingAverage()),
            "validation": replace(TEST, split="validation", every=500, nth=8),
        },
        best="validation/mrr",
        export=rj.bundle.SessionBundle(),
    )


def sweep(base: rj.Experiment) -> dict[str, rj.Experiment]:
    """Returns parts that may be missing or added, and the losses; models alone."""
    shown = ("hiertcn", "validation")
    evals = {name: one for name, one in base.evals.items() if name in shown}
    base = replace(base, evals=evals)
    losses = {
        "nce": Nce(),
        "bpr": Bpr(),
        "top1": Top1(),
        "hinge": Hinge(),
    }
    rules = {"pair/.*": rj.optim.Adam(1e-2), **base.optimizer.rules}
    habits = replace(
        base,
        data=replace(base.data, pairs=(*base.data.pairs, rj.data.Habits(decay=0.98))),
        optimizer=replace(base.optimizer, rules=rules),
    )
    return {
        "hiertcn": base,
        "habits": habits,
        "plain": replace(base, data=replace(base.data, pairs=())),
        "untied": replace(base, model=replace(base.model, tied=False)),
        **{k: replace(base, losses={k: loss}) for k, loss in losses.items()},
    }


def tiny() -> rj.Experiment:
    """Returns the same experiment, small enough for continuous integration."""
    full = experiment()
    data = replace(full.data, layout=rj.data.Packed(16, 48, 16), negatives=64)
    chain = {"chain": replace(CHAIN, grid={"steps": (1, 5)}), "model": None}
    evals = {n: one for n, one in full.evals.items() if n not in ("counts", "chain")}
    evals["fusion"] = replace(TEST, scorer=rj.evals.Fusion(chain, "mrr"))
    return replace(full, name="hiertcn_tmall_tiny", steps=20, data=data, evals=evals)
