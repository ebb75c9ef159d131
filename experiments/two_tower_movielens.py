"""MovieLens-100K: what does a user watch next, and which film fits these words?

recjax data prepare movielens_100k
recjax train experiments/two_tower_movielens.py --workdir runs/movielens

An embedding has two parts whose scores add up: one is learned, the other is counted
(which film follows which, factorised) and remembers what training smooths over.
"""

from dataclasses import replace

import recjax as rj

LEARNED = 128
COUNTED = 512


def experiment() -> rj.Experiment:
    """Returns the experiment."""
    return rj.Experiment(
        name="two_tower_movielens",
        seed=0,
        steps=800,
        data=rj.data.NextItem(
            "movielens_100k",
            batch_size=512,
            # With 1,682 films the full softmax costs little more than a sample.
            negatives=None,
            history=100,
            ngrams=rj.text.NGrams(3_000, 2_000, 3_000, min_count=2),
            title_length=48,
            text_share=0.05,
            half_life=60.0,
            neighbours=COUNTED,
        ),
        model=rj.models.TwoTower(
            query=rj.nn.Tower(
                inputs={
                    "history": rj.nn.RecencyBag(
                        "watched",
                        LEARNED,
                        heads=6,
                        age="history_age",
                        hidden=128,
                        id_dropout=0.3,
                        dropout=0.4,
                    ),
                    "text": rj.nn.EmbeddingBag("token", "importance"),
                },
                width=LEARNED,
                normalize=False,
                frozen_inputs={
                    "history": rj.nn.DecayedSum(
                        "follows", "history_age", 1.4, scale=60.0
                    )
                },
            ),
            candidate=rj.nn.Tower(
                inputs={
                    "item": rj.nn.EmbeddingBag("film", norm=0.0),
                    "text": rj.nn.EmbeddingBag("token", "importance"),
                },
                width=LEARNED,
                normalize=False,
                frozen_inputs={"item": rj.nn.EmbeddingBag("followed", norm=0.0)},
            ),
            tables={
                "watched": rj.models.Table(LEARNED, scale=0.1),
                "film": rj.models.Table(LEARNED, scale=0.1),
                "token": rj.models.Table(LEARNED, scale=0.03),
                "importance": rj.models.Table(1, from_weight=True),
                "follows": rj.models.Table(COUNTED, from_vectors=True),
                "followed": rj.models.Table(COUNTED, from_vectors=True),
            },
            temperature=1.0,
            learn_temperature=False,
        ),
        losses={
            "softmax": rj.losses.SampledSoftmax(
                in_batch=False,
                random=True,
                mask_same_query=False,
                label_smoothing=0.05,
            )
        },
        optimizer=rj.optim.Optimizer(
            rules={
                "tables/importance": rj.optim.RowwiseAdagrad(0.01),
                "tables/.*": rj.optim.RowwiseAdagrad(0.04, weight_decay=0.1),
                ".*": rj.optim.Adam(2e-3, weight_decay=0.2),
            },
            schedule=rj.optim.WarmupCosine(warmup=100),
        ),
        evals={
            "two_tower": rj.evals.Ranking("test"),
            "item_knn": rj.evals.Ranking("test", rj.evals.ItemKnn()),
            "popularity": rj.evals.Ranking("test", rj.evals.Popularity()),
            "validation": rj.evals.Ranking("validation", every=200),
        },
        best="validation/ndcg@10",
        export=rj.bundle.Bundle(),
    )


def tiny() -> rj.Experiment:
    """Returns the same experiment, small enough for continuous integration."""
    full = experiment()
    data = replace(
        full.data,
        batch_size=64,
        history=10,
        ngrams=rj.text.NGrams(500, 500, 500),
        text_length=16,
        title_length=24,
    )
    return replace(full, name="two_tower_movielens_tiny", steps=20, data=data)


def sweep(base: rj.Experiment) -> dict[str, rj.Experiment]:
    """Returns the base, and the base without one of its parts each."""
    model, softmax = base.model, base.losses["softmax"]
    query, candidate = model.query, model.candidate
    evenly = query.clone(
        inputs={**query.inputs, "history": rj.nn.EmbeddingBag("watched")}
    )
    learned = {
        name: table
        for name, table in model.tables.items()
        if name not in ("follows", "followed")
    }
    alone = replace(
        model,
        query=query.clone(frozen_inputs={}),
        candidate=candidate.clone(frozen_inputs={}),
        tables=learned,
    )
    sharp = replace(softmax, label_smoothing=0.0)
    return {
        "base": base,
        "no_recency": replace(base, model=replace(model, query=evenly)),
        "no_counted": replace(base, model=alone, data=replace(base.data, neighbours=0)),
        "no_smoothing": replace(base, losses={"softmax": sharp}),
        "no_text": replace(base, data=replace(base.data, text_share=0.0)),
    }
