"""HierTCN and its rivals on Tmall: one experiment, the encoder chosen by a setting.

for kind in hiertcn hiergru hrnn gru gru4rec tcn; do
    recjax train experiments/hiertcn_rivals.py --workdir runs/rival_$kind \
        --set model.encoder.kind=$kind
done

All have the parameters of HierTCN at the authors' default size; items, loss, dropout,
optimizer and steps are the same.
"""

from dataclasses import replace

from recjax.data.sessions_lanes import Packed
from recjax.data.sessions_next import NextInSession
from recjax.data.sessions_split import LastSessionOut
from recjax.evals.session import SessionRanking
from recjax.experiment import Experiment
from recjax.export.session_bundle import SessionBundle
from recjax.losses.pairwise import ItemSoftmax
from recjax.models.hier_tcn import SessionModel
from recjax.models.rivals import Rival
from recjax.optim import Adam, Optimizer, RowwiseAdagrad, WarmupCosine

WIDTH = 128


def experiment() -> Experiment:
    """Returns the experiment."""
    return Experiment(
        name="hiertcn_rivals",
        seed=0,
        steps=2_300,
        data=NextInSession(
            "tmall",
            split=LastSessionOut(),
            layout=Packed(lanes=32, events=48, sessions=24),
            negatives=4_096,
        ),
        model=SessionModel(
            encoder=Rival("hiertcn", WIDTH, dropout=0.4),
            width=WIDTH,
            cosine=True,
            scale=16.0,
        ),
        losses={"softmax": ItemSoftmax()},
        optimizer=Optimizer(
            rules={"tables/.*": RowwiseAdagrad(0.1), ".*": Adam(2e-3)},
            schedule=WarmupCosine(warmup=100),
        ),
        evals={
            "test": SessionRanking("test"),
            "validation": SessionRanking("validation", every=500, nth=8),
        },
        best="validation/mrr",
        export=SessionBundle(),
    )


def tiny() -> Experiment:
    """Returns the same experiment, small enough for continuous integration."""
    full = experiment()
    data = replace(full.data, layout=Packed(16, 48, 16), negatives=64)
    encoder = replace(full.model.encoder, size=16)
    model = replace(full.model, encoder=encoder)
    return replace(full, name="hiertcn_rivals_tiny", steps=20, data=data, model=model)
