"""Amazon's toys: what does a user buy next, and do an item's categories help?

recjax data prepare toys
recjax train experiments/two_tower_toys.py --workdir runs/toys

Only the order of events is known. The last item of each user is test, the one before
validates; what the user has had is not ranked. Most items have few events, so that what
an item is says more than its own vector: `sweep()` compares the model with the same
without the categories of items. Both are behind the item-kNN (see docs/results.md).
"""

from dataclasses import replace

import recjax as rj

WIDTH = 64
COUNTED = 256


def experiment() -> rj.Experiment:
    """Returns the experiment."""
    plain = without_columns()
    candidate = plain.model.candidate
    category = {"category": rj.nn.EmbeddingBag("category", norm=0.5)}
    tables = {"category": rj.models.Table(WIDTH, scale=0.03)}
    columns = {"item": {"category": rj.data.CategoryColumn(min_count=3)}}
    return replace(
        plain,
        name="two_tower_toys",
        data=replace(plain.data, columns=columns),
        model=replace(
            plain.model,
            candidate=candidate.clone(inputs={**candidate.inputs, **category}),
            tables={**plain.model.tables, **tables},
        ),
    )


def without_columns() -> rj.Experiment:
    """Returns the same experiment, whose towers read no columns."""
    recent = rj.nn.RecencyBag(
        "had", WIDTH, heads=4, age="history_age", id_dropout=0.2, dropout=0.3
    )
    counted = rj.nn.DecayedSum("follows", "history_age", 1.0, scale=30.0)
    return rj.Experiment(
        name="two_tower_toys_plain",
        seed=0,
        steps=600,
        data=rj.data.NextItem(
            "toys",
            batch_size=512,
            negatives=1_024,
            history=50,
            text_share=0.0,
            split=rj.data.LastOut(),
            neighbours=COUNTED,
        ),
        model=rj.models.TwoTower(
            query=rj.nn.Tower(
                inputs={"history": recent},
                width=WIDTH,
                normalize=False,
                frozen_inputs={"history": counted},
            ),
            candidate=rj.nn.Tower(
                inputs={"item": rj.nn.EmbeddingBag("item", norm=0.0, dropout=0.2)},
                width=WIDTH,
                normalize=False,
                frozen_inputs={"item": rj.nn.EmbeddingBag("followed", norm=0.0)},
            ),
            tables={
                "had": rj.models.Table(WIDTH, scale=0.1),
                "item": rj.models.Table(WIDTH, scale=0.03),
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
                "tables/.*": rj.optim.RowwiseAdagrad(0.05, weight_decay=0.1),
                ".*": rj.optim.Adam(2e-3, weight_decay=0.2),
            },
            schedule=rj.optim.WarmupCosine(warmup=50),
        ),
        evals={
            "two_tower": rj.evals.Ranking("test"),
            "item_knn": rj.evals.Ranking("test", rj.evals.ItemKnn(recency_power=1.0)),
            "popularity": rj.evals.Ranking("test", rj.evals.Popularity()),
            "validation": rj.evals.Ranking("validation", every=200),
        },
        best="validation/ndcg@10",
    )


def tiny() -> rj.Experiment:
    """Returns the same experiment, small enough for continuous integration."""
    full = experiment()
    data = replace(full.data, batch_size=64, history=10)
    return replace(full, name="two_tower_toys_tiny", steps=20, data=data)


def sweep(base: rj.Experiment) -> dict[str, rj.Experiment]:
    """Returns the base, and the same without columns."""
    plain = replace(without_columns(), steps=base.steps, seed=base.seed)
    return {"base": base, "no_columns": plain}
