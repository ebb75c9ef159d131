"""Search: which product fits these words, from graded judgements?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle.two_tower import Bundle
from recjax.data.prepared import Prepared
from recjax.data.search import Search
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
from recjax.templates.judged import grades, query_split
from recjax.templates.search_untrained import search_untrained
from recjax.text import minilm
from recjax.text.features import NGrams

WIDTH, BATCH = 128, 256
FEW = 500
"""Judged queries below which towers would learn them by heart."""


def search(
    data: Prepared | str | Path, say: chosen.Say = print, encoder: str = minilm.FOLDER
) -> Experiment:
    """Returns an experiment: words and what was learned of them, added to BM25.

    Below 500 judged queries nothing is trained: BM25 of words and of letters and a
    pretrained encoder are added up, with weights that are chosen on what is judged.

    Args:
      data: prepared data with graded judgements of one kind of candidate, or with
        products alone; or its name or folder.
      say: takes a line for each choice, with its reason.
      encoder: folder of a BERT or DistilBERT encoder, where nothing is trained;
        "minilm_l6" is fetched if need be.

    Raises:
      UserError: the data is not prepared, or has neither items nor graded judgements.
    """
    if not _judged(data):
        return search_untrained(chosen.opened(data, "search", "item"), say, encoder)
    known = chosen.opened(data, "search", "judgements")
    judged = known.table("judgements")
    if "grade" not in judged:
        raise UserError(
            f"templates.search: the judgements of {known.path.name} have no grades; "
            "take templates.catalog, which reads actions"
        )
    queries = len(np.unique(judged["query"].array))
    if queries < FEW:
        return search_untrained(known, say, encoder, queries)
    relevance, split = grades(judged, say), query_split(judged, say)
    say(f"training: pairs of grade {relevance['min_relevance']:g} and above")
    if encoder != minilm.FOLDER:
        say(f"encoder: not used, for {queries} queries are judged: towers are trained")
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
            **relevance,
            split=split,
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
