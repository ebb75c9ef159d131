"""Check-ins in New York: do the hour, the weekday and where a venue lies help?

recjax data prepare foursquare_nyc
recjax train experiments/two_tower_foursquare.py --workdir runs/foursquare

The query knows the places where somebody was and when it is; a candidate is a venue and
its coordinates. People go where they went before, so that nothing is left out of the
ranking. `sweep()` compares the model with the same without columns.
"""

from dataclasses import replace

import recjax as rj
from recjax.evals.baselines.history import History

WIDTH = 64
TEST = rj.evals.Ranking("test", hide_seen=False, coverage=False)
WHEN = {
    "hour": rj.data.TimeColumn("timestamp", "hour", rows=True),
    "weekday": rj.data.TimeColumn("timestamp", "weekday", rows=True),
}
WHERE = {
    "latitude": rj.data.NumberColumn(buckets=32),
    "longitude": rj.data.NumberColumn(buckets=32),
}


def experiment() -> rj.Experiment:
    """Returns the experiment."""
    plain = without_columns()
    query, candidate = plain.model.query, plain.model.candidate
    when = {name: rj.nn.EmbeddingBag(name, norm=0.0) for name in WHEN}
    where = {name: rj.nn.EmbeddingBag(name, norm=0.0) for name in WHERE}
    tables = {name: rj.models.Table(WIDTH, scale=0.03) for name in (*WHEN, *WHERE)}
    return replace(
        plain,
        name="two_tower_foursquare",
        data=replace(plain.data, columns={"events": WHEN, "item": WHERE}),
        model=replace(
            plain.model,
            query=query.clone(inputs={**query.inputs, **when}),
            candidate=candidate.clone(inputs={**candidate.inputs, **where}),
            tables={**plain.model.tables, **tables},
        ),
    )


def without_columns() -> rj.Experiment:
    """Returns the same experiment, whose towers read no columns."""
    recent = rj.nn.RecencyBag("was", WIDTH, heads=4, age="history_age", id_dropout=0.1)
    return rj.Experiment(
        name="two_tower_foursquare_plain",
        seed=0,
        steps=1_200,
        data=rj.data.NextItem(
            "foursquare_nyc",
            batch_size=512,
            negatives=None,
            history=100,
            text_share=0.0,
        ),
        model=rj.models.TwoTower(
            query=rj.nn.Tower({"history": recent}, WIDTH, normalize=False),
            candidate=rj.nn.Tower(
                inputs={"item": rj.nn.EmbeddingBag("venue", norm=0.0)},
                width=WIDTH,
                normalize=False,
            ),
            tables={
                "was": rj.models.Table(WIDTH, scale=0.1),
                "venue": rj.models.Table(WIDTH, scale=0.03),
            },
            temperature=1.0,
            learn_temperature=False,
        ),
        losses={
            "softmax": rj.losses.SampledSoftmax(
                in_batch=False, random=True, mask_same_query=False
            )
        },
        optimizer=rj.optim.Optimizer(
            rules={
                "tables/.*": rj.optim.RowwiseAdagrad(0.1),
                ".*": rj.optim.Adam(2e-3),
            },
            schedule=rj.optim.WarmupCosine(warmup=100),
        ),
        evals={
            "two_tower": TEST,
            "history": replace(TEST, scorer=History()),
            "popularity": replace(TEST, scorer=rj.evals.Popularity()),
            "validation": replace(TEST, split="validation", every=300),
        },
        best="validation/mrr",
    )


def tiny() -> rj.Experiment:
    """Returns the same experiment, small enough for continuous integration."""
    full = experiment()
    data = replace(full.data, batch_size=64, history=10)
    return replace(full, name="two_tower_foursquare_tiny", steps=20, data=data)


def sweep(base: rj.Experiment) -> dict[str, rj.Experiment]:
    """Returns the base, and the same without columns."""
    plain = replace(without_columns(), steps=base.steps, seed=base.seed)
    return {"base": base, "no_columns": plain}
