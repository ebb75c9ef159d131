"""Catalogue: one query embedding for several kinds of things, from actions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recjax.bundle.two_tower import Bundle
from recjax.data.catalog.pairs import Engagement
from recjax.data.catalog.search import CatalogSearch
from recjax.data.prepared import Prepared
from recjax.data.splits import ByColumn, ByQuery
from recjax.errors import UserError
from recjax.evals.baselines.popularity import Popularity
from recjax.evals.ranking import Ranking
from recjax.experiment import Experiment
from recjax.losses.sampled_softmax import SampledSoftmax
from recjax.models.omni_search import OmniSearch
from recjax.models.tables import Table
from recjax.nn.fields import HashEmbedding
from recjax.nn.inputs import EmbeddingBag
from recjax.nn.tower import Tower
from recjax.optim.optimizer import Adam, Optimizer
from recjax.optim.rowwise import RowwiseAdagrad
from recjax.optim.schedule import WarmupCosine
from recjax.tables.typed import Table as Rows
from recjax.templates import chosen
from recjax.text.features import NGrams

WIDTH, BATCH, HASHED = 128, 240, 20_000


def catalog(data: Prepared | str | Path, say: chosen.Say = print) -> Experiment:
    """Returns an experiment: which things of each kind fit these words?

    Args:
      data: prepared data whose judgements have actions, or its name or folder.
      say: takes a line for each choice, with its reason.

    Raises:
      UserError: the data is not prepared, or has no judgements or no actions.
    """
    known = chosen.opened(data, "catalog", "judgements")
    judged = known.table("judgements")
    if "action" not in judged:
        raise UserError(
            f"templates.catalog: the judgements of {known.path.name} have no actions; "
            "take templates.search, which reads grades"
        )
    found = _actions(judged)
    for kind, actions in found.items():
        say(f"{kind}: trained and asked on {', '.join(actions)}")
    kinds = [kind for kind in found if kind != "query"]
    texts = {
        n: None
        for k in kinds
        for n, c in known.table(k).columns.items()
        if c.type == "text"
    }
    fields = tuple(texts)
    say(f"text: {', '.join(fields)}, each field in its own place")
    tasks = {kind: Engagement(kind, one, 1) for kind, one in found.items()}
    by_column = "split" in judged
    say("split: the column `split`" if by_column else "split: a tenth of the queries")
    steps = chosen.steps(judged.rows, BATCH)
    word = NGrams(min_count=2)
    text = HashEmbedding("hash", "importance", len(fields), buckets=HASHED)
    towers = {"query": Tower({"text": EmbeddingBag("token", "weight")}, WIDTH)}
    if kinds:
        towers["entity"] = Tower({"text": text}, WIDTH)
    return Experiment(
        name=f"catalog_{chosen.data_name(known)}",
        seed=0,
        steps=steps,
        data=CatalogSearch(
            chosen.source(known),
            tasks,
            tasks,
            batch_size=BATCH // len(tasks) * len(tasks),
            fields=fields,
            ngrams=word,
            query=word,
            query_length=16,
            length=96,
            split=ByColumn() if by_column else ByQuery(),
        ),
        model=OmniSearch(
            towers=towers,
            tower_of=dict.fromkeys(kinds, "entity"),
            tables={
                "token": Table(WIDTH, scale=0.1),
                "weight": Table(1, from_weight=True),
                "hash": Table(WIDTH, rows=HASHED + 1, scale=0.1),
                "importance": Table(2, from_weight=True),
            },
        ),
        losses={kind: SampledSoftmax(of=kind, random=True) for kind in found},
        optimizer=Optimizer(
            {"tables/.*": RowwiseAdagrad(0.05), ".*": Adam(1e-3)},
            WarmupCosine(steps // 10),
        ),
        evals={
            **{kind: Ranking("test", task=kind) for kind in found},
            **{
                f"{kind}/popularity": Ranking("test", Popularity(), task=kind)
                for kind in found
            },
        },
        export=Bundle(corpus=(kinds or ["query"])[0]),
    )


def _actions(judged: Rows) -> dict[str, tuple[str, ...]]:
    """Returns kind of candidate -> the actions with candidates of that kind."""
    kind, action = judged["candidate_type"], judged["action"]
    pairs = np.unique(np.stack([kind.array, action.array], 1), axis=0)
    found: dict[str, tuple[str, ...]] = {}
    for one, did in pairs.tolist():
        name = str(kind.vocabulary[one])
        found[name] = (*found.get(name, ()), str(action.vocabulary[did]))
    return found
