"""MovieLens-100K: what does a user watch next, and which film fits these words?

    recjax data prepare movielens_100k
    recjax train experiments/two_tower_movielens.py --workdir runs/movielens
"""

from dataclasses import replace

from recjax.data.next_item import NextItem
from recjax.data.text_features import NGrams
from recjax.evals.cheap import ItemKnnBaseline, PopularityBaseline
from recjax.evals.corpus import CorpusRanking
from recjax.experiment import Experiment
from recjax.export.bundle import Bundle
from recjax.losses import SampledSoftmax
from recjax.models import Table, Tower, TwoTower
from recjax.nn.history import RecencyBag
from recjax.nn.inputs import Bag
from recjax.optim import Adam, Optimizer, RowwiseAdagrad, WarmupCosine

WIDTH = 64


def experiment() -> Experiment:
    """Returns the experiment."""
    return Experiment(
        name="two_tower_movielens",
        seed=0,
        steps=1_500,
        data=NextItem("movielens_100k", batch_size=512, negatives=512),
        model=TwoTower(
            query=Tower(
                inputs={
                    "history": RecencyBag("watched", WIDTH),
                    "text": Bag("token", "importance"),
                },
                width=WIDTH,
            ),
            candidate=Tower(
                inputs={
                    "item": Bag("film", norm="none"),
                    "text": Bag("token", "importance"),
                },
                width=WIDTH,
            ),
            tables={
                "watched": Table(WIDTH, scale=0.1),
                "film": Table(WIDTH, scale=0.1),
                "token": Table(WIDTH, scale=0.1),
                "importance": Table(1, from_weight=True),
            },
            temperature=0.1,
        ),
        losses={"softmax": SampledSoftmax(random=True)},
        optimizer=Optimizer(
            rules={
                "tables/importance": RowwiseAdagrad(0.01),
                "tables/.*": RowwiseAdagrad(0.1),
                ".*": Adam(2e-3),
            },
            schedule=WarmupCosine(warmup=100),
        ),
        evals={
            "two_tower": CorpusRanking("test"),
            "item_knn": ItemKnnBaseline("test"),
            "popularity": PopularityBaseline("test"),
            "validation": CorpusRanking("validation", every=500),
        },
        best="validation/ndcg@10",
        export=Bundle(),
    )


def tiny() -> Experiment:
    """Returns the same experiment, small enough for continuous integration."""
    full = experiment()
    data = replace(
        full.data,
        batch_size=64,
        negatives=64,
        history=10,
        ngrams=NGrams(500, 500, 500),
        text_length=16,
        title_length=24,
    )
    return replace(full, name="two_tower_movielens_tiny", steps=20, data=data)
