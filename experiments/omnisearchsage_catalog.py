"""Search in an invented catalogue: one query embedding for pins, products, queries.

recjax data prepare invented_catalog
recjax train experiments/omnisearchsage_catalog.py --workdir runs/catalog

Sizes are such that a run takes minutes on a CPU; `tools/bench_two_tower.py` times the
published ones.
"""

from dataclasses import replace
from typing import Any

import recjax as rj
from recjax.data.catalog.pairs import Engagement
from recjax.models import PairCounts
from recjax.nn.sketch import CountMin
from recjax.prepare.synthetic.catalog import WINDOWS

WIDTH, BUCKETS = 256, 20_000
QUERY_LENGTH = 9
"""Word pieces; three queries in a thousand are longer, most have 4 or 5."""
FROZEN = 3.0
"""Share of a loss against frozen embeddings, where a learned one's is 1."""
SHARES = {
    "pin": 1.0,
    "pin/legacy": FROZEN,
    "product": 1.0,
    "product/legacy": FROZEN,
    "query": 1.0,
}
TEXT_FIELDS = (
    *("title", "description", "domains", "brand", "colors", "size_type", "links"),
    *("size", "patterns", "materials", "product_types", "gpt", "canonical_desc"),
    *("board_title", "engaged_queries", "domain", "image_caption"),
    *("rich_pin_title", "rich_pin_description"),
)
"""Columns of text of the published system, which the towers number in this order."""
VECTORS = ("gs_v5", "item_is_v2", "ue_v4")
"""PinSage, ItemSage, and an image embedding whose bits are the features."""
LOGGED = ("board_title", "engaged_queries")
"""Text fields that come from what people did."""
TASKS = {
    "pin_onsite": Engagement("pin", ("save", "long_click"), 8),
    "product_onsite": Engagement("product", ("save", "long_click"), 4),
    "query_click": Engagement("query", ("click",), 2),
    "product_offsite": Engagement("product", ("add_to_cart", "checkout"), 2),
}
"""The published mix. (The public code leads offsite queries to pins, a slip.)"""
ASKED = {
    "pin_save": Engagement("pin", ("save",)),
    "pin_long_click": Engagement("pin", ("long_click",)),
    "pin_relevance": Engagement("pin", ("relevance",)),
    "product_save": Engagement("product", ("save",)),
    "product_long_click": Engagement("product", ("long_click",)),
    "product_offsite": Engagement("product", ("add_to_cart", "checkout")),
    "query_click": Engagement("query", ("click",)),
}
"""The published evaluation sets."""
SKETCH = CountMin(1 << 18)
WIDTHS = ((32, 0.05), (64, 0.05), (128, 0.05), (256, 1.0))


def experiment() -> rj.Experiment:
    """Returns the experiment."""
    encoder = rj.nn.TransformerSettings(
        6_000,
        width=128,
        layers=1,
        heads=4,
        feed_forward=512,
        max_length=QUERY_LENGTH,
        dropout=0.0,
    )
    text = rj.nn.HashEmbedding("hash", "importance", len(TEXT_FIELDS), buckets=BUCKETS)
    entity = rj.nn.Tower(
        {
            "text": text,
            "gs_v5": rj.nn.Vectors(),
            "item_is_v2": rj.nn.Vectors(),
            "ue_v4": rj.nn.Vectors(bits=True),
        },
        WIDTH,
        hidden=(256,),
        join="concat",
        norm=False,
    )
    query = rj.nn.Tower({"text": rj.nn.Transformer(encoder, "mean", WIDTH)}, WIDTH)
    return rj.Experiment(
        name="omnisearchsage_catalog",
        seed=0,
        steps=1_500,
        data=rj.data.CatalogSearch(
            "invented_catalog",
            TASKS,
            ASKED,
            batch_size=256,
            fields=TEXT_FIELDS,
            dense=VECTORS,
            legacy=("legacy",),
            caps={"pin": 50, "product": 200},
            ngrams=rj.text.NGrams(40_000, 40_000, 0, min_count=2),
            length=80,
            query=rj.text.Pieces(6_000),
            query_length=QUERY_LENGTH,
            split=rj.data.FromTime(WINDOWS["test"][0]),
        ),
        model=rj.models.OmniSearch(
            towers={"query": query, "entity": entity},
            tower_of={"pin": "entity", "product": "entity"},
            tables={
                "hash": rj.models.Table(128, rows=BUCKETS + 1),
                "importance": rj.models.Table(2, from_weight=True),
            },
            legacy={"pin": "legacy", "product": "legacy"},
            counts=PairCounts(SKETCH),
        ),
        losses={
            f"{key}/{kind}": rj.losses.SampledSoftmax(
                of=key,
                in_batch=kind == "in_batch",
                random=kind == "random",
                widths=WIDTHS,
                weight=share / sum(SHARES.values()),
            )
            for key, share in SHARES.items()
            for kind in ("in_batch", "random")
        },
        optimizer=rj.optim.Optimizer(
            rules={
                "tables/.*": rj.optim.RowwiseAdagrad(0.02),
                ".*": rj.optim.Lamb(8e-3),
            },
            schedule=rj.optim.WarmupCosine(warmup=100),
        ),
        evals={
            **{task: rj.evals.Ranking("test", task=task) for task in ASKED},
            **{
                f"{task}/legacy": rj.evals.Ranking("test", task=task, tower="legacy")
                for task in ASKED
                if ASKED[task].kind != "query"
            },
            "pin_save/index": rj.evals.Ranking(
                "test", task="pin_save", ties="worst", index=rj.evals.RandomIndex(5_000)
            ),
            "validation": rj.evals.Ranking("validation", task="pin_save", every=500),
        },
        export=rj.bundle.Bundle(corpus="product"),
    )


def tiny() -> rj.Experiment:
    """Returns the same experiment, small enough for continuous integration."""
    full = experiment()
    data = replace(
        full.data,
        source="invented_catalog_tiny",
        batch_size=128,
        ngrams=replace(full.data.ngrams, unigrams=2_000, bigrams=2_000),
    )
    evals = {name: full.evals[name] for name in ("pin_save", "pin_save/legacy")}
    return replace(
        full, name="omnisearchsage_catalog_tiny", steps=20, data=data, evals=evals
    )


def sweep(base: rj.Experiment) -> dict[str, rj.Experiment]:
    """Returns the ablations: the paper's, and those that it leaves out."""
    data, model = base.data, base.model
    seen = tuple(name for name in TEXT_FIELDS if name not in LOGGED)
    written = tuple(name for name in seen if name != "image_caption")
    return {
        "all": base,
        "continuous only": with_fields(base, ()),
        "+ title, description": with_fields(base, written),
        "+ captions": with_fields(base, seen),
        "+ board titles": with_fields(base, (*seen, "board_title")),
        "standalone towers": replace(base, model=standalone(model)),
        **{
            f"{kind} tasks alone": with_tasks(base, kind)
            for kind in ("pin", "product", "query")
        },
        "frozen embeddings alone": replace(
            base, losses={k: v for k, v in base.losses.items() if "legacy" in k}
        ),
        "without frozen embeddings": replace(
            base, losses={k: v for k, v in base.losses.items() if "legacy" not in k}
        ),
        "no logQ": with_loss(base, logq=False),
        "logQ as published": with_loss(
            replace(base, model=replace(model, counts=PairCounts(SKETCH, True))),
            given_query=True,
        ),
        "exact counts": replace(base, model=replace(model, counts=None)),
        "no random negatives": replace(
            base,
            losses={k: v for k, v in base.losses.items() if v.in_batch},
            data=replace(data, negatives=1),
        ),
        **{
            f"{count} random negatives": replace(
                base, data=replace(data, negatives=count)
            )
            for count in (1, 16)
        },
        **{
            f"{rows:,} hash rows": with_buckets(base, rows)
            for rows in (1_000, 5_000, 100_000)
        },
        "unigrams alone": replace(
            base, data=replace(data, ngrams=replace(data.ngrams, bigrams=0))
        ),
        "with trigrams": replace(
            base,
            data=replace(
                data, ngrams=replace(data.ngrams, trigrams=10_000), length=256
            ),
        ),
        "one width": with_loss(base, widths=()),
        "equal widths": with_loss(base, widths=tuple((w, 1.0) for w, _ in WIDTHS)),
        "no masks": with_loss(base, mask_same_item=False, mask_same_query=False),
        "known positives masked": with_loss(
            replace(base, data=replace(data, known=8)), mask_known=True
        ),
    }


def with_fields(full: rj.Experiment, fields: tuple[str, ...]) -> rj.Experiment:
    """Returns the experiment with some text fields; with none, without the table."""
    data, model = replace(full.data, fields=fields), full.model
    if fields:
        return replace(full, data=data)
    entity = model.towers["entity"]
    inputs = {name: one for name, one in entity.inputs.items() if name != "text"}
    towers = {**model.towers, "entity": entity.clone(inputs=inputs)}
    return replace(full, data=data, model=replace(model, towers=towers, tables={}))


def with_tasks(full: rj.Experiment, kind: str) -> rj.Experiment:
    """Returns the experiment on one kind of candidate, at the same batch size."""
    tasks = {name: t for name, t in full.data.tasks.items() if t.kind == kind}
    model = full.model
    if kind == "query":
        towers = {"query": model.towers["query"]}
        model = replace(model, towers=towers, tables={}, tower_of={}, legacy={})
    else:
        model = replace(
            model, tower_of={kind: "entity"}, legacy={kind: model.legacy[kind]}
        )
    losses = {k: v for k, v in full.losses.items() if k.split("/")[0] == kind}
    total = sum(loss.weight for loss in losses.values()) / 2
    shares = {k: replace(v, weight=v.weight / total) for k, v in losses.items()}
    evals = {
        name: one
        for name, one in full.evals.items()
        if full.data.asked[one.task].kind == kind
    }
    sizes = sum(task.share for task in tasks.values())
    data = replace(full.data, tasks=tasks, batch_size=256 // sizes * sizes)
    export = replace(full.export, corpus=kind)
    return replace(
        full, data=data, model=model, losses=shares, evals=evals, export=export
    )


def standalone(model: rj.models.OmniSearch) -> rj.models.OmniSearch:
    """Returns the model with a tower of its own for each kind."""
    entity = model.towers["entity"]
    towers = {"query": model.towers["query"], "pin": entity, "product": entity}
    return replace(model, towers=towers, tower_of={"pin": "pin", "product": "product"})


def with_buckets(full: rj.Experiment, rows: int) -> rj.Experiment:
    """Returns the experiment with a hash table of so many rows."""
    model = full.model
    entity, table = model.towers["entity"], model.tables["hash"]
    text = entity.inputs["text"].clone(buckets=rows)
    towers = {
        **model.towers,
        "entity": entity.clone(inputs={**entity.inputs, "text": text}),
    }
    tables = {**model.tables, "hash": replace(table, rows=rows + 1)}
    return replace(full, model=replace(model, towers=towers, tables=tables))


def with_loss(full: rj.Experiment, **changes: Any) -> rj.Experiment:
    """Returns the experiment with a change of every loss."""
    losses = {name: replace(loss, **changes) for name, loss in full.losses.items()}
    return replace(full, losses=losses)
