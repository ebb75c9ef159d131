"""Search on day one: words and meaning added up, nothing is trained."""

from __future__ import annotations

from typing import Any

from recjax.bundle.two_tower import Bundle
from recjax.data.prepared import Prepared
from recjax.data.search import Search
from recjax.evals.baselines.bm25 import Bm25
from recjax.evals.fusion import Fusion
from recjax.evals.ranking import Ranking
from recjax.experiment import Experiment
from recjax.losses.sampled_softmax import SampledSoftmax
from recjax.models.two_tower import TwoTower
from recjax.nn.tower import Tower
from recjax.nn.transformer import Transformer, TransformerSettings
from recjax.optim.optimizer import Frozen, Optimizer
from recjax.pretrained import bert
from recjax.pretrained.warm_start import Bert
from recjax.templates import chosen
from recjax.templates.judged import grades, query_split
from recjax.text.features import NGrams, Pieces
from recjax.text.minilm import FOLDER

LENGTH = 32
"""Word pieces of a title that are read."""
LETTERS = Bm25("trigrams", k1=0.6, b=0.5)
"""As chosen on the validation queries of Home Depot."""


def search_untrained(
    known: Prepared, say: chosen.Say, encoder: str, queries: int = 0
) -> Experiment:
    """Returns an experiment that adds up BM25 and an encoder, and trains nothing.

    Args:
      known: prepared data with a table of products.
      say: takes a line for each choice, with its reason.
      encoder: folder of a BERT encoder, or "minilm_l6".
      queries: how many are judged, with grades.
    """
    why = f"{queries} queries are judged, too few" if queries else "nothing is judged"
    fetched = " (90 MB, fetched when it is not there)" if encoder == FOLDER else ""
    say(
        f"nothing is trained, for {why}: BM25 finds words, {encoder}{fetched} meaning; "
        "their scores are added up"
    )
    parts: dict[str, Any] = {"words": Bm25(), "meaning": None}
    judged: dict[str, Any] = {}
    if queries:
        say("weights: chosen on the judged queries of training and validation")
        parts["letters"] = LETTERS
        table = known.table("judgements")
        judged = {**grades(table, say), "split": query_split(table, say)}
    settings = TransformerSettings(30_522, max_length=LENGTH)
    if encoder != FOLDER:
        settings = bert.read_settings(encoder, max_length=LENGTH)
    tower = Tower({"pieces": Transformer(settings)}, settings.width)
    fusion: Any = Fusion(
        parts,
        choose_on=("train", "validation"),
        unjudged={"words": 1.0, "meaning": 2.0},
    )
    return Experiment(
        name=f"search_{chosen.data_name(known)}",
        seed=0,
        steps=0,
        data=Search(
            chosen.source(known),
            batch_size=64,
            negatives=0,
            ngrams=NGrams(1_000, 0, 0),
            pieces=Pieces(folder=encoder),
            **judged,
        ),
        model=TwoTower(query=tower, candidate=None, tables={}),
        losses={"softmax": SampledSoftmax()},
        optimizer=Optimizer({".*": Frozen()}),
        warm_start={"query/pieces": Bert(encoder)},
        evals={
            "fusion": Ranking("test", fusion),
            "meaning": Ranking("test"),
            **{n: Ranking("test", part) for n, part in parts.items() if part},
        },
        export=Bundle(fusion=fusion),
    )
