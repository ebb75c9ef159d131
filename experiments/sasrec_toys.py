"""Amazon's toys as sequences: what next, by a transformer and by counts.

recjax data prepare toys
recjax train experiments/sasrec_toys.py --workdir runs/sasrec

Only the order of events is known. The last item of each user is test, the one before
validates; what the user has had is not ranked. The model is SASRec's (Kang and McAuley
2018) with a softmax over drawn items; `--set model.encoder.block=gated` or `hstu` takes
another block. `with_validation()` is the same, fit on the validation items as well.
"""

from dataclasses import replace

import recjax as rj

WIDTH = 64
TEST = rj.evals.Ranking("test", hide_seen=True, coverage=False)


def experiment() -> rj.Experiment:
    """Returns the experiment."""
    knn = rj.evals.ItemKnn()
    return rj.Experiment(
        name="sasrec_toys",
        seed=0,
        steps=1_500,
        data=rj.data.NextInSession(
            "toys",
            split=rj.data.LastOut(),
            layout=rj.data.Packed(rows=32, events=128, sessions=128),
            negatives=2_048,
            popularity=0.5,
            sequences=True,
        ),
        model=rj.models.SessionModel(
            encoder=rj.nn.FlatAttention(WIDTH, size=WIDTH, dropout=0.4),
            width=WIDTH,
            cosine=True,
            scale=16.0,
        ),
        losses={"softmax": rj.losses.ItemSoftmax()},
        optimizer=rj.optim.Optimizer(
            rules={
                "tables/.*": rj.optim.RowwiseAdagrad(0.1),
                ".*": rj.optim.Adam(1e-3),
            },
            schedule=rj.optim.WarmupCosine(warmup=100),
        ),
        evals={
            "fusion": replace(
                TEST,
                scorer=rj.evals.Fusion(
                    {"knn": knn, "chain": rj.evals.Markov(), "model": None}
                ),
            ),
            "sasrec": TEST,
            "item_knn": replace(TEST, scorer=knn),
            "markov": replace(TEST, scorer=rj.evals.Markov()),
            "popularity": replace(TEST, scorer=rj.evals.Popularity()),
            "validation": replace(TEST, split="validation", every=250),
        },
        best="validation/ndcg@10",
        export=rj.bundle.SessionBundle(),
    )


def with_validation() -> rj.Experiment:
    """Returns the same experiment, fit on the validation items too."""
    made = experiment()
    evals = {name: one for name, one in made.evals.items() if name != "validation"}
    data = replace(made.data, fit=("train", "validation"))
    return replace(made, name="sasrec_toys_fit_all", data=data, evals=evals, best=None)


def tiny() -> rj.Experiment:
    """Returns the same experiment, small enough for continuous integration."""
    full = experiment()
    layout = rj.data.Packed(rows=16, events=48, sessions=48)
    evals = {n: full.evals[n] for n in ("fusion", "sasrec", "item_knn")}
    return replace(
        full,
        name="sasrec_toys_tiny",
        steps=20,
        data=replace(full.data, layout=layout, negatives=64),
        evals=evals,
        best=None,
    )
