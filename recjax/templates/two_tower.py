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


def two_tower(data: Prepared | str | Path, say: chosen.Say = print) -> Experiment:
    """Returns an experiment: what does a user want next, and which item fits a text?

    Args:
      data: prepared data with events, or its name or folder.
      say: takes a line for each choice, with its reason.

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
            "two_tower": Ranking("test"),
            "item_knn": Ranking("test", knn),
            "popularity": Ranking("test", Popularity()),
            "validation": Ranking("validation", every=steps // 4),
        },
        best="validation/ndcg@10",
        export=Bundle(),
    )
