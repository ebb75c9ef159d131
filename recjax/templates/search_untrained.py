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
from recjax.pretrained.warm_start import Bert
from recjax.templates import chosen
from recjax.text.features import NGrams, Pieces

MINILM = "minilm_l6"


def search_untrained(known: Prepared, say: chosen.Say) -> Experiment:
    """Returns an experiment that adds BM25 and MiniLM, for products without judgements.

    Args:
      known: prepared data with a table of products.
      say: takes a line for each choice, with its reason.
    """
    say(
        "nothing is trained, for nothing is judged: BM25 finds words, MiniLM (90 MB, "
        "fetched when it is not there) meaning"
    )
    settings = TransformerSettings(30_522, max_length=32)
    tower = Tower({"pieces": Transformer(settings)}, settings.width)
    words: Any = Bm25()
    fusion: Any = Fusion(
        {"words": words, "meaning": None},
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
            pieces=Pieces(folder=MINILM),
        ),
        model=TwoTower(query=tower, candidate=None, tables={}),
        losses={"softmax": SampledSoftmax()},
        optimizer=Optimizer({".*": Frozen()}),
        warm_start={"query/pieces": Bert(MINILM)},
        evals={
            "fusion": Ranking("test", fusion),
            "minilm": Ranking("test"),
            "bm25": Ranking("test", words),
        },
        export=Bundle(fusion=fusion),
    )
