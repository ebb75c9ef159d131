"""Search: which product fits these words, from graded judgements?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle.two_tower import Bundle
from recjax.data.prepared import Prepared
from recjax.data.search import Search
from recjax.data.splits import ByColumn, ByQuery
from recjax.errors import UserError
from recjax.evals.baselines.bm25 import Bm25
from recjax.evals.fusion import Fusion
from recjax.evals.ranking import Ranking
from recjax.experiment import Experiment
from recjax.losses.sampled_softmax import SampledSoftmax
from recjax.models.tables import Table
from recjax.models.two_tower import TwoTower
from recjax.nn.inputs import EmbeddingBag
from recjax.nn.tower import Tower
from recjax.optim.optimizer import Adam, Optimizer
from recjax.optim.rowwise import RowwiseAdagrad
from recjax.optim.schedule import WarmupCosine
from recjax.templates import chosen
from recjax.templates.search_untrained import search_untrained
from recjax.text.features import NGrams

WIDTH, BATCH = 128, 256


def search(data: Prepared | str | Path, say: chosen.Say = print) -> Experiment:
    """Returns an experiment: words and what was learned of them, added to BM25.

    Without judgements nothing is trained: BM25 and MiniLM are added up.

    Args:
      data: prepared data with graded judgements of one kind of candidate, or its name
        or folder.
      say: takes a line for each choice, with its reason.

    Raises:
      UserError: the data is not prepared, or has neither items nor graded judgements.
    """
    if not _judged(data):
        return search_untrained(chosen.opened(data, "search", "item"), say)
    known = chosen.opened(data, "search", "judgements")
    judged = known.table("judgements")
    if "grade" not in judged:
        raise UserError(
            f"templates.search: the judgements of {known.path.name} have no grades; "
            "take templates.catalog, which reads actions"
        )
    grades = np.unique(judged["grade"].array)
    low, middle, high = grades[0], grades[len(grades) // 2], grades[-1]
    say(
        f"relevance: grades are {low:g} to {high:g}; from {middle:g} on a pair trains, "
        f"{high:g} is relevant in the evaluation"
    )
    by_column = "split" in judged
    say("split: the column `split`" if by_column else "split: a tenth of the queries")
    kinds = [n for n in known.tables if n not in ("judgements", "query", "user")]
    rows = known.table(kinds[0]).rows
    steps = chosen.steps(judged.rows, BATCH)
    tower = Tower({"text": EmbeddingBag("token", "importance")}, WIDTH)
    words: Any = Bm25()
    fusion: Any = Fusion({"words": words, "meaning": None})
    return Experiment(
        name=f"search_{chosen.data_name(known)}",
        seed=0,
        steps=steps,
        data=Search(
            chosen.source(known),
            batch_size=BATCH,
            negatives=min(BATCH, rows),
            ngrams=NGrams(min_count=2),
            min_relevance=float(middle),
            positive_relevance=float(high),
            lowest_relevance=float(min(low, middle - 1)),
            split=ByColumn() if by_column else ByQuery(),
        ),
        model=TwoTower(
            query=tower,
            candidate=tower,
            tables={
                "token": Table(WIDTH, scale=0.1),
                "importance": Table(1, from_weight=True),
            },
        ),
        losses={"softmax": SampledSoftmax(random=True)},
        optimizer=Optimizer(
            {
                "tables/importance": RowwiseAdagrad(0.01),
                "tables/.*": RowwiseAdagrad(0.05),
                ".*": Adam(1e-3),
            },
            WarmupCosine(steps // 10),
        ),
        evals={
            "fusion": Ranking("test", fusion),
            "model": Ranking("test"),
            "bm25": Ranking("test", words),
            "validation": Ranking("validation", every=steps // 4),
        },
        best="validation/ndcg@10",
        export=Bundle(fusion=fusion),
    )


def _judged(data: Prepared | str | Path) -> bool:
    known = data if not isinstance(data, str | Path) else Prepared.open(data)
    tables = getattr(known, "tables", ())
    return "judgements" in tables or "item" not in tables
