"""Home Depot product search: query words to products, from scratch.

recjax data prepare home_depot
recjax train experiments/two_tower_home_depot.py --workdir runs/home_depot
"""

from dataclasses import replace

import recjax as rj
from recjax.text.ngrams import TextRules

WIDTH = 512
PLAIN = {"normalize": False}


def experiment() -> rj.Experiment:
    """Returns the experiment."""
    return rj.Experiment(
        name="two_tower_home_depot",
        seed=0,
        steps=3_000,
        data=rj.data.Search(
            "home_depot",
            batch_size=512,
            negatives=512,
            ngrams=rj.text.NGrams(
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
        model=rj.models.TwoTower(
            query=rj.nn.Tower(
                {"text": rj.nn.EmbeddingBag("token", "importance", 1.0)}, WIDTH, **PLAIN
            ),
            # Longer titles may say more: half of BM25's idea of length.
            candidate=rj.nn.Tower(
                {"text": rj.nn.EmbeddingBag("token", "importance", 0.5)}, WIDTH, **PLAIN
            ),
            tables={
                "token": rj.models.Table(WIDTH, scale=WIDTH**-0.5, distinct=24_576),
                "importance": rj.models.Table(1, from_weight=True, distinct=24_576),
            },
            temperature=0.2,
        ),
        losses={"softmax": rj.losses.SampledSoftmax(random=True)},
        optimizer=rj.optim.Optimizer(
            rules={
                "tables/importance": rj.optim.RowwiseAdagrad(0.02),
                "tables/.*": rj.optim.RowwiseAdagrad(0.0075),
                ".*": rj.optim.Adam(1e-3),
            },
            schedule=rj.optim.WarmupCosine(warmup=100),
        ),
        evals={
            "two_tower": rj.evals.Ranking("test"),
            "bm25": rj.evals.Ranking("test", rj.evals.Bm25(), ties="order"),
            "bm25_raw": rj.evals.Ranking("test", rj.evals.Bm25("none"), ties="order"),
            "bm25_ties_averaged": rj.evals.Ranking("test", rj.evals.Bm25()),
            "validation": rj.evals.Ranking("validation", every=1_000),
        },
        export=rj.bundle.Bundle(),
    )


def tiny() -> rj.Experiment:
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
