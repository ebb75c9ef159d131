"""Search in an invented catalogue: one query embedding for pins, products, queries.

python tools/make_catalog.py catalog --pins 20000
recjax data prepare catalog --pairs catalog/pairs.parquet --pins catalog/pins.parquet \
    --products catalog/products.parquet --out catalog_20k
recjax train experiments/omnisearchsage_catalog.py --workdir runs/catalog
"""

from dataclasses import replace

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

WIDTH, BUCKETS, FIELDS = 256, 100_000, 19
KEYS = ("pin", "pin/legacy", "product", "product/legacy", "query")
WIDTHS = ((16, 0.05), (32, 0.05), (64, 0.05), (128, 0.05), (256, 1.0))


def experiment() -> Experiment:
    """Returns the experiment."""
    text = HashFields("hash", "importance", "text.field", FIELDS, buckets=BUCKETS)
    sizes = TransformerSettings(
        8_000, width=128, layers=2, heads=2, feed_forward=512, max_length=16
    )
    entity = Tower(
        {
            "text": text,
            "gs_v5": Vectors(),
            "item_is_v2": Vectors(),
            "ue_v4": Vectors(bits=True),
        },
        WIDTH,
        hidden=(1024, 1024),
        join="concat",
        norm=False,
    )
    return Experiment(
        name="omnisearchsage_catalog",
        seed=0,
        steps=2_000,
        data=CatalogSearch(
            CatalogSettings().sized(20_000),
            batch_size=512,
            ngrams=NGrams(60_000, 100_000, 0, min_count=2),
            length=128,
            query=Pieces(8_000),
            query_length=16,
            test_from=WINDOWS["test"][0],
        ),
        model=OmniSearch(
            towers={
                "query": Tower(
                    {"text": Transformer(sizes, "cls", WIDTH, "float32")}, WIDTH
                ),
                "entity": entity,
            },
            tower_of={"pin": "entity", "product": "entity"},
            tables={
                "hash": Table(256, 0.05, rows=BUCKETS + 1),
                "importance": Table(2, from_weight=True),
            },
            legacy={"pin": "legacy", "product": "legacy"},
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
                ".*": Lamb(2e-3),
            },
            schedule=WarmupCosine(warmup=100),
        ),
    )


def tiny() -> Experiment:
    """Returns the same experiment, small enough for continuous integration."""
    full = experiment()
    return replace(full, name="omnisearchsage_catalog_tiny", steps=20)
