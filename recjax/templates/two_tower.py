"""Two towers: a user's history, or words, on one side; items on the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recjax.bundle.two_tower import Bundle
from recjax.data.interactions import TEXTS
from recjax.data.next_item import NextItem
from recjax.data.prepared import Prepared
from recjax.evals.baselines.item_knn import ItemKnn
from recjax.evals.baselines.popularity import Popularity
from recjax.evals.fusion import Fusion
from recjax.evals.ranking import Ranking
from recjax.experiment import Experiment
from recjax.losses.sampled_softmax import SampledSoftmax
from recjax.models.tables import Table
from recjax.models.two_tower import TwoTower
from recjax.nn.decayed_sum import RecencyBag
from recjax.nn.inputs import EmbeddingBag
from recjax.nn.tower import Tower
from recjax.optim.optimizer import Adam, Optimizer
from recjax.optim.rowwise import RowwiseAdagrad
from recjax.optim.schedule import WarmupCosine
from recjax.templates import chosen
from recjax.text.features import NGrams

WIDTH, BATCH = 64, 256
FUSED = 50_000
"""Items up to which scores of item-kNN are added to the model's."""


def two_tower(
    data: Prepared | str | Path, say: chosen.Say = print, fused: bool = True
) -> Experiment:
    """Returns an experiment: what does a user want next, and which item fits a text?

    Args:
      data: prepared data with events, or its name or folder.
      say: takes a line for each choice, with its reason.
      fused: add item-kNN's scores to the model's where there are at most 50,000 items.
        Such a bundle scores all items; it has no index, pushes to no engine, and holds
        float32 vectors alone.

    Raises:
      UserError: the data is not prepared, or has no events.
    """
    known = chosen.opened(data, "two_tower", "events")
    events, items, users = (known.table(n) for n in ("events", "item", "user"))
    texts = chosen.texts(items, say)
    item = chosen.read(items, "item", WIDTH, texts, say)
    user = chosen.read(users, "user", WIDTH, (), say)
    text = {"text": EmbeddingBag("token")} if texts else {}
    steps = chosen.steps(events.rows, BATCH)
    columns = {"item": item.columns, "user": user.columns}
    knn: Any = ItemKnn()
    fusion = _fusion(items.rows, say) if fused else None
    return Experiment(
        name=f"two_tower_{chosen.data_name(known)}",
        seed=0,
        steps=steps,
        data=NextItem(
            chosen.source(known),
            batch_size=BATCH,
            negatives=chosen.negatives(items.rows, say),
            ngrams=NGrams(min_count=2),
            split=chosen.split(known, say),
            columns={name: one for name, one in columns.items() if one},
            text_share=0.1 if texts else 0.0,
            texts=texts or TEXTS,
        ),
        model=TwoTower(
            query=Tower(
                {
                    "history": RecencyBag(
                        "met", WIDTH, heads=4, age="history_age", id_dropout=0.2
                    ),
                    **text,
                    **user.inputs,
                },
                WIDTH,
                normalize=False,
            ),
            candidate=Tower(
                {"item": EmbeddingBag("item", norm=0.0), **text, **item.inputs},
                WIDTH,
                normalize=False,
            ),
            tables={
                "met": Table(WIDTH, scale=0.1),
                "item": Table(WIDTH, scale=0.1),
                **({"token": Table(WIDTH, scale=0.03)} if texts else {}),
                **user.tables,
                **item.tables,
            },
            temperature=1.0,
            learn_temperature=False,
        ),
        losses={
            "softmax": SampledSoftmax(
                in_batch=False,
                random=True,
                mask_same_query=False,
                label_smoothing=0.05,
            )
        },
        optimizer=Optimizer(
            {
                "tables/.*": RowwiseAdagrad(0.04, weight_decay=0.1),
                ".*": Adam(2e-3, weight_decay=0.2),
            },
            WarmupCosine(steps // 10),
        ),
        evals={
            **({} if fusion is None else {"fusion": Ranking("test", fusion)}),
            "two_tower": Ranking("test"),
            "item_knn": Ranking("test", knn),
            "popularity": Ranking("test", Popularity()),
            "validation": Ranking("validation", every=steps // 4),
        },
        best="validation/ndcg@10",
        export=Bundle(fusion=fusion),
    )


def _fusion(items: int, say: chosen.Say) -> Any:
    """Returns the model and item-kNN added up; None where the items are too many."""
    if items > FUSED:
        say(
            f"fusion: none, for {items:,} items are more than {FUSED:,}: a sum with "
            "item-kNN scores each of them for each query"
        )
        return None
    say("fusion: the model and item-kNN, which add up to more than either")
    # Without popularity it is silent where there is no history, as with words alone.
    knn: Any = ItemKnn(popularity_weight=0.0)
    return Fusion({"model": None, "item_knn": knn})
