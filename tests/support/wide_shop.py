"""An invented shop of 20 columns of all types, and an experiment that reads them."""

import gzip

import numpy as np
import polars as pl

import recjax as rj
from recjax.prepare.options import Files, How

USERS, ITEMS, EVENTS, WIDTH = 40, 30, 400, 16
START = 1_700_000_000
HOW = How(
    column=(
        *("items:code=bits", "items:tags=categories", "items:related=ids"),
        *("items:brand=category", "items:title=text", "users:bio=text"),
        *("users:country=category", "users:plan=category", "users:likes=categories"),
        *("events:device=category", "events:place=category", "items:look=vector"),
        *("items:released=timestamp", "users:joined=timestamp"),
        *("users:city_code=number", "users:age=number", "items:price=number"),
        *("users:taste=vector", "items:stock=number", "events:basket=number"),
    ),
    now=START + 10**7,
)
QUERY = ("age", "country", "likes", "joined", "bio", "plan", "taste", "city_code")
CONTEXT = ("device", "place", "basket", "timestamp")
ITEM = (
    *("brand", "tags", "price", "stock", "released", "look", "code", "related"),
    "title",
)


def frames():
    """Returns items, users and events; a fifth of most columns is missing."""
    random = np.random.default_rng(0)

    def some(values, share=0.2):
        gone = random.random(len(values)) < share
        return [None if g else v for g, v in zip(gone, values, strict=True)]

    def pick(labels, n):
        return some(random.choice(labels, n).tolist())

    def lists(labels, n, sep="|"):
        return some(
            [
                sep.join(random.choice(labels, random.integers(1, 3), replace=False))
                for _ in range(n)
            ]
        )

    def vectors(n, width):
        return some(random.normal(size=(n, width)).round(3).tolist())

    ids = [f"i{i}" for i in range(ITEMS)]
    names = [f"{c} {t}" for c in ("red", "blue", "old") for t in ("hat", "mug")]
    items = {
        "item": ids,
        "title": pick(names, ITEMS),
        "brand": pick(["acme", "ümlaut", "zed"], ITEMS),
        "tags": lists(["home", "sale", "new"], ITEMS),
        "price": some(random.lognormal(3, 1, ITEMS).round(2).tolist()),
        "stock": some(random.integers(0, 90, ITEMS).tolist()),
        "released": some((START - random.integers(0, 10**8, ITEMS)).tolist()),
        "look": vectors(ITEMS, 4),
        "code": some(random.integers(0, 256, (ITEMS, 2)).tolist()),
        "related": lists(ids[:8], ITEMS, " "),
    }
    users = {
        "user": [f"u{u}" for u in range(USERS)],
        "age": some(random.integers(18, 80, USERS).tolist()),
        "country": pick(["no", "it", "jp"], USERS),
        "likes": lists(["home", "sport", "art"], USERS),
        "joined": some((START - random.integers(0, 10**7, USERS)).tolist()),
        "bio": pick(["likes old hats", "red things", "mugs"], USERS),
        "plan": pick(["free", "paid"], USERS),
        "taste": vectors(USERS, 3),
        "city_code": some(random.integers(1, 9, USERS).tolist()),
    }
    events = {
        "user": [f"u{u}" for u in random.integers(0, USERS, EVENTS)],
        "item": [f"i{i}" for i in random.integers(0, ITEMS, EVENTS)],
        "timestamp": (START + 700 * np.arange(EVENTS)).tolist(),
        "device": pick(["phone", "web"], EVENTS),
        "place": pick([f"p{i}" for i in range(20)], EVENTS),
        "basket": some(random.normal(30, 9, EVENTS).round(2).tolist()),
    }
    return {
        name: pl.DataFrame(columns)
        for name, columns in (("items", items), ("users", users), ("events", events))
    }


def write(folder, form):
    """Writes the tables as "csv", "csv.gz" or "parquet", in parts; returns `Files`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, frame in frames().items():
        if form == "parquet":
            paths[name] = folder / name
            paths[name].mkdir()
            for part in range(3):
                rows = frame.gather_every(1)[part * len(frame) // 3 :]
                rows = rows[: (part + 1) * len(frame) // 3 - part * len(frame) // 3]
                rows.write_parquet(paths[name] / f"part-{part}.parquet")
            continue
        flat = frame.with_columns(
            pl.col(c).map_elements(lambda v: str(list(v)), pl.String, skip_nulls=True)
            for c, kind in frame.schema.items()
            if kind.is_nested()
        )
        text = flat.write_csv()
        paths[name] = folder / f"{name}.{form}"
        if form == "csv":
            paths[name].write_text(text)
        else:
            paths[name].write_bytes(gzip.compress(text.encode()))
    return Files(**paths)


def experiment(source="shop"):
    """Returns an experiment whose towers read every column."""
    columns = {
        "item": {
            "brand": rj.data.CategoryColumn(),
            "tags": rj.data.CategoryColumn(),
            "price": rj.data.NumberColumn(),
            "stock": rj.data.NumberColumn(buckets=3),
            "released": rj.data.TimeColumn(),
            "look": rj.data.VectorColumn(),
            "code": rj.data.VectorColumn(),
            "related": rj.data.CategoryColumn(buckets=11),
        },
        "user": {
            "age": rj.data.NumberColumn(),
            "country": rj.data.CategoryColumn(),
            "likes": rj.data.CategoryColumn(length=2),
            "joined": rj.data.TimeColumn(part="weekday"),
            "bio": rj.data.TextColumn(tokens=rj.text.NGrams(20, 20, 40), length=12),
            "plan": rj.data.CategoryColumn(),
            "taste": rj.data.VectorColumn(),
            "city_code": rj.data.NumberColumn(buckets=4),
        },
        "events": {
            "device": rj.data.CategoryColumn(),
            "place": rj.data.CategoryColumn(buckets=9),
            "basket": rj.data.NumberColumn(),
            "hour": rj.data.TimeColumn("timestamp"),
            "weekday": rj.data.TimeColumn("timestamp", "weekday", rows=True),
        },
    }
    dense = {"price", "released", "look", "code", "age", "joined", "taste", "basket"}
    dense |= {"hour"}
    item, user, events = columns.values()
    rows = [name for name in (*item, *user, *events) if name not in dense]

    def read(names):
        return {
            name: rj.nn.Dense(WIDTH, scale=0.3)
            if name in dense
            else rj.nn.EmbeddingBag(name, norm=0.0)
            for name in names
        }

    tables = {name: rj.models.Table(WIDTH, scale=0.3) for name in rows}
    history = rj.nn.RecencyBag("item", WIDTH, heads=2, age="history_age")
    return rj.Experiment(
        name="wide_shop",
        seed=0,
        steps=8,
        data=rj.data.NextItem(
            str(source),
            batch_size=32,
            negatives=16,
            history=5,
            ngrams=rj.text.NGrams(20, 20, 40),
            text_length=8,
            title_length=8,
            columns=columns,
        ),
        model=rj.models.TwoTower(
            query=rj.nn.Tower({"history": history, **read((*user, *events))}, WIDTH),
            candidate=rj.nn.Tower(
                {
                    "item": rj.nn.EmbeddingBag("item", norm=0.0),
                    "text": rj.nn.EmbeddingBag("token"),
                    **read(item),
                },
                WIDTH,
            ),
            tables={
                "item": rj.models.Table(WIDTH, scale=0.3),
                "token": rj.models.Table(WIDTH, scale=0.3),
                **tables,
            },
        ),
        losses={"softmax": rj.losses.SampledSoftmax(random=True)},
        optimizer=rj.optim.Optimizer(
            {"tables/.*": rj.optim.RowwiseAdagrad(0.05), ".*": rj.optim.Adam(1e-2)}
        ),
        evals={"test": rj.evals.Ranking("test")},
        export=rj.bundle.Bundle(k=5, tolerance=1e-5, check_queries=17),
    )
