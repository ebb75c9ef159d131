"""HierTCN and its rivals on Tmall, fit on all days but the last, which is test.

recjax data prepare tmall
recjax sweep experiments/hiertcn_rivals.py --workdir runs/rivals --seeds 0,1,2 \
    --show test/recall@10,test/mrr,test/non_first/recall@10,test/non_first/mrr

Items, features of pairs, loss, optimizer and steps are the same. HierTCN is that of
hiertcn_tmall.py; the rivals are the paper's, with as many parameters as HierTCN of the
authors' default size. All have one dropout; to choose each encoder's own on validation:

recjax sweep experiments/hiertcn_rivals.py --workdir runs/rivals_grid \
    --grid model.encoder.dropout=0.2,0.4 --set steps=300 --set "data.fit=('train',)" \
    --set evals.test.split=validation --set evals.test.nth=8
"""

from dataclasses import replace

import recjax as rj
from recjax.models.rivals import Rival

WIDTH = 128


def experiment() -> rj.Experiment:
    """Returns the experiment."""
    return rj.Experiment(
        name="hiertcn_rivals",
        seed=0,
        steps=1_500,
        data=rj.data.NextInSession(
            "tmall",
            split=rj.data.LastOut(),
            layout=rj.data.Packed(rows=32, events=48, sessions=24),
            negatives=4_096,
            popularity=0.75,
            fit=("train", "validation"),
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
        evals={"test": rj.evals.Ranking("test", coverage=False)},
        export=rj.bundle.SessionBundle(),
    )


def sweep(base: rj.Experiment) -> dict[str, rj.Experiment]:
    """Returns HierTCN, its rivals, and HierTCN without the features of pairs."""
    size = 16 if "tiny" in base.name else None
    variants = {"hiertcn": base}
    for kind in ("hiergru", "hrnn", "gru", "tcn", "gru4rec"):
        encoder = Rival(kind, WIDTH, size, dropout=0.4)
        variants[kind] = replace(base, model=replace(base.model, encoder=encoder))
    variants["hiertcn_plain"] = replace(base, data=replace(base.data, pairs=()))
    return variants


def tiny() -> rj.Experiment:
    """Returns the same experiment, small enough for continuous integration."""
    full = experiment()
    data = replace(full.data, layout=rj.data.Packed(16, 48, 16), negatives=64)
    return replace(full, name="hiertcn_rivals_tiny", steps=20, data=data)
