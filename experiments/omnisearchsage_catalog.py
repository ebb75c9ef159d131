"""Search in an invented catalogue: one query embedding for pins, products, queries.

recjax train experiments/omnisearchsage_catalog.py --workdir runs/catalog

The catalogue is made and prepared when it is first opened. Sizes are such that a run
takes minutes on a CPU; `tools/bench_two_tower.py` times the published ones.
"""

from dataclasses import replace

from recjax.data.catalog_schema import TEXT_FIELDS
from recjax.data.catalog_search import CatalogSearch
from recjax.data.synthetic.catalog import WINDOWS
from recjax.data.synthetic.world import CatalogSettings
from recjax.data.text_features import NGrams, Pieces
from recjax.experiment import Experiment
from recjax.losses import SampledSoftmax
from recjax.models import OmniSearch, PairCounts, Table, Tower
from recjax.nn.fields import HashFields
from recjax.nn.sketch import CountMin
from recjax.nn.transformer import Transformer, TransformerSettings
from recjax.nn.vectors import Vectors
from recjax.optim import Lamb, Optimizer, RowwiseAdagrad, WarmupCosine

WIDTH, BUCKETS = 128, 20_000
KEYS = ("pin", "pin/legacy", "product", "product/legacy", "query")
WIDTHS = ((32, 0.05), (64, 0.05), (128, 1.0))


def experiment() -> Experiment:
    """Returns the experiment."""
    catalog = CatalogSettings().sized(10_000)
    encoder = TransformerSettings(
        6_000, width=64, layers=1, heads=2, feed_forward=256, max_length=12, dropout=0.0
    )
    text = HashFields(
        "hash", "importance", "text.field", len(TEXT_FIELDS), buckets=BUCKETS
    )
    entity = Tower(
        {
            "text": text,
            "gs_v5": Vectors(),
            "item_is_v2": Vectors(),
            "ue_v4": Vectors(bits=True),
        },
        WIDTH,
        hidden=(256,),
        join="concat",
        norm=False,
    )
    query = Tower({"text": Transformer(encoder, "mean", WIDTH, "float32")}, WIDTH)
    return Experiment(
        name="omnisearchsage_catalog",
        seed=0,
        steps=1_500,
        data=CatalogSearch(
            replace(catalog, products=5_000, asked=0.12),
            batch_size=256,
            ngrams=NGrams(40_000, 40_000, 0, min_count=2),
            length=80,
            query=Pieces(6_000),
            query_length=12,
            test_from=WINDOWS["test"][0],
        ),
        model=OmniSearch(
            towers={"query": query, "entity": entity},
            tower_of={"pin": "entity", "product": "entity"},
            tables={
                "hash": Table(WIDTH, rows=BUCKETS + 1),
                "importance": Table(2, from_weight=True),
            },
            legacy={"pin": "legacy", "product": "legacy"},
            legacy_width=128,
            counts=PairCounts(CountMin(1 << 18)),
        ),
        losses={
            f"{key}/{kind}": SampledSoftmax(
                of=key,
                in_batch=kind == "in_batch",
                random=kind == "random",
                widths=WIDTHS,
                share=1 / len(KEYS),
            )
            for key in KEYS
            for kind in ("in_batch", "random")
        },
        optimizer=Optimizer(
            rules={
                "tables/importance": RowwiseAdagrad(0.02),
                "tables/.*": RowwiseAdagrad(0.02),
                ".*": Lamb(4e-3),
            },
            schedule=WarmupCosine(warmup=100),
        ),
    )


def tiny() -> Experiment:
    """Returns the same experiment, small enough for continuous integration."""
    full = experiment()
    return replace(full, name="omnisearchsage_catalog_tiny", steps=20)
