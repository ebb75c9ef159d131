"""MovieLens-100K with the columns of its users and films: do they help with new ones?

recjax data prepare movielens_100k
recjax train experiments/two_tower_movielens_columns.py --workdir runs/columns

A small model of the next film reads the age, gender and occupation of users, the genres
and the year of films; `sweep()` compares it with the same model without them, in which
a user is a history and a film its id and title. `--set "data.split=ByUser()"` tests on
users without training events, `--set "data.split=ByItem()"` on such films.
"""

from dataclasses import replace

import recjax as rj

WIDTH = 64
USER = ("age", "gender", "occupation")
FILM = ("genres", "year")


def experiment() -> rj.Experiment:
    """Returns the experiment."""
    plain = without_columns()
    model = plain.model
    query, candidate = model.query, model.candidate
    columns = {
        "user": {
            "age": rj.data.NumberColumn(buckets=8),
            "gender": rj.data.CategoryColumn(),
            "occupation": rj.data.CategoryColumn(),
        },
        "item": {
            "genres": rj.data.CategoryColumn(),
            "year": rj.data.NumberColumn(buckets=10),
        },
    }
    user = {name: rj.nn.EmbeddingBag(name, norm=0.0) for name in USER}
    film = {name: rj.nn.EmbeddingBag(name, norm=0.0) for name in FILM}
    tables = {name: rj.models.Table(WIDTH, scale=0.01) for name in USER + FILM}
    return replace(
        plain,
        name="two_tower_movielens_columns",
        data=replace(plain.data, columns=columns),
        model=replace(
            model,
            query=query.clone(inputs={**query.inputs, **user}),
            candidate=candidate.clone(inputs={**candidate.inputs, **film}),
            tables={**model.tables, **tables},
        ),
    )


def without_columns() -> rj.Experiment:
    """Returns the same experiment, whose towers read no columns."""
    recent = rj.nn.RecencyBag(
        "watched", WIDTH, heads=4, age="history_age", id_dropout=0.3
    )
    return rj.Experiment(
        name="two_tower_movielens_plain",
        seed=0,
        steps=400,
        data=rj.data.NextItem(
            "movielens_100k",
            batch_size=256,
            negatives=None,
            met_negatives=True,
            history=20,
            texts=("title",),
            ngrams=rj.text.NGrams(3_000, 2_000, 3_000, min_count=2),
            title_length=32,
            text_share=0.0,
            half_life=60.0,
        ),
        model=rj.models.TwoTower(
            query=rj.nn.Tower({"history": recent}, WIDTH, normalize=False),
            candidate=rj.nn.Tower(
                inputs={
                    "item": rj.nn.EmbeddingBag("film", norm=0.0, dropout=0.5),
                    "text": rj.nn.EmbeddingBag("token", "importance"),
                },
                width=WIDTH,
                normalize=False,
            ),
            tables={
                "watched": rj.models.Table(WIDTH, scale=0.1),
                # A film that nobody has met yet has no vector of its own.
                "film": rj.models.Table(WIDTH, scale=0.0),
                "token": rj.models.Table(WIDTH, scale=0.03),
                "importance": rj.models.Table(1, from_weight=True),
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
            schedule=rj.optim.WarmupCosine(warmup=50),
        ),
        evals={
            "two_tower": rj.evals.Ranking("test"),
            "popularity": rj.evals.Ranking("test", rj.evals.Popularity()),
            "validation": rj.evals.Ranking("validation", every=200),
        },
        best="validation/ndcg@10",
    )


def tiny() -> rj.Experiment:
    """Returns the same experiment, small enough for continuous integration."""
    full = experiment()
    grams = rj.text.NGrams(500, 500, 500)
    data = replace(full.data, batch_size=64, history=10, ngrams=grams)
    return replace(full, name="two_tower_movielens_columns_tiny", steps=20, data=data)


def sweep(base: rj.Experiment) -> dict[str, rj.Experiment]:
    """Returns the base, and the same without columns."""
    plain = replace(without_columns(), steps=base.steps, seed=base.seed)
    return {"base": base, "no_columns": plain}
