"""Home Depot product search: query words to products, from scratch.

recjax data prepare home_depot
recjax train experiments/two_tower_home_depot.py --workdir runs/home_depot
"""

from dataclasses import replace

from recjax.bundle.two_tower import Bundle
from recjax.data.search import Search
from recjax.evals.baselines.bm25 import Bm25
from recjax.evals.ranking import Ranking
from recjax.experiment import Experiment
from recjax.losses import SampledSoftmax
from recjax.models import Table, Tower, TwoTower
from recjax.nn.inputs import EmbeddingBag
from recjax.optim import Adam, Optimizer, RowwiseAdagrad, WarmupCosine
from recjax.text.features import NGrams
from recjax.text.ngrams import TextRules

WIDTH = 512
PLAIN = {"normalize": False}


def experiment() -> Experiment:
    """Returns the experiment."""
    return Experiment(
        name="two_tower_home_depot",
        seed=0,
        steps=3_000,
        data=Search(
            "home_depot",
            batch_size=512,
            negatives=512,
            ngrams=NGrams(
                100_000,
                200_000,
                30_000,
                min_count=2,
                rules=TextRules(split_digits=True, strip_plurals=True, once=True),
                kind_weights=(1.0, 0.5, 0.5),
                idf_power=0.5,
            ),
            query_length=48,
            title_length=112,
            title_share=0.7,
        ),
        model=TwoTower(
            query=Tower(
                {"text": EmbeddingBag("token", "importance", 1.0)}, WIDTH, **PLAIN
            ),
            # Longer titles may say more: half of BM25's idea of length.
            candidate=Tower(
                {"text": EmbeddingBag("token", "importance", 0.5)}, WIDTH, **PLAIN
            ),
            tables={
                "token": Table(WIDTH, scale=WIDTH**-0.5, distinct=24_576),
                "importance": Table(1, from_weight=True, distinct=24_576),
            },
            temperature=0.2,
        ),
        losses={"softmax": SampledSoftmax(random=True)},
        optimizer=Optimizer(
            rules={
                "tables/importance": RowwiseAdagrad(0.02),
                "tables/.*": RowwiseAdagrad(0.0075),
                ".*": Adam(1e-3),
            },
            schedule=WarmupCosine(warmup=100),
        ),
        evals={
            "two_tower": Ranking("test"),
            "bm25": Ranking("test", Bm25(), ties="order"),
            "bm25_raw": Ranking("test", Bm25(strip_plurals=False), ties="order"),
            "bm25_ties_averaged": Ranking("test", Bm25()),
            "validation": Ranking("validation", every=1_000),
        },
        export=Bundle(),
    )


def tiny() -> Experiment:
    """Returns the same experiment, small enough for continuous integration."""
    full = experiment()
    data = replace(
        full.data,
        batch_size=64,
        negatives=64,
        ngrams=replace(full.data.ngrams, unigrams=2_000, bigrams=2_000, trigrams=2_000),
        query_length=16,
        title_length=32,
    )
    return replace(full, name="two_tower_home_depot_tiny", steps=20, data=data)
