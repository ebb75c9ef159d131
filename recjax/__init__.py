"""recjax: train, evaluate, export and serve retrieval embeddings with JAX and Flax.

    import recjax as rj

has what most experiments are made of, by the names below. Each is imported when it is
first asked for, so that this is quick; what is rarer is imported from where it lies.
"""

from __future__ import annotations

import ast
import functools
import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:  # What can be asked for: `_places` reads it, nothing runs it.
    from recjax.bundle.image import ImageBundle
    from recjax.bundle.open import open_bundle as load
    from recjax.bundle.session import SessionBundle
    from recjax.bundle.two_tower import Bundle
    from recjax.data.catalog.search import CatalogSearch
    from recjax.data.columns import (
        CategoryColumn,
        ImageColumn,
        NumberColumn,
        TextColumn,
        TimeColumn,
        VectorColumn,
    )
    from recjax.data.images.source import Images
    from recjax.data.next_item import NextItem
    from recjax.data.search import Search
    from recjax.data.sessions.habits import Habits
    from recjax.data.sessions.next import NextInSession
    from recjax.data.sessions.packing import Packed
    from recjax.data.sessions.repeats import Repeats
    from recjax.data.sessions.transitions import Transitions
    from recjax.data.splits import ByItem, ByQuery, ByTime, ByUser, FromTime, LastOut
    from recjax.data.triplets.exact import TripletRules
    from recjax.evals.baselines.bm25 import Bm25
    from recjax.evals.baselines.item_knn import ItemKnn
    from recjax.evals.baselines.markov import Markov
    from recjax.evals.baselines.popularity import Popularity
    from recjax.evals.fusion import Fusion
    from recjax.evals.gallery import GalleryRanking
    from recjax.evals.ranking import RandomIndex, Ranking
    from recjax.experiment import Experiment, Runtime
    from recjax.losses.pairwise import ItemSoftmax
    from recjax.losses.sampled_softmax import SampledSoftmax
    from recjax.losses.triplet import Softmax, TripletHinge
    from recjax.models.multiscale import Multiscale
    from recjax.models.omni_search import OmniSearch
    from recjax.models.session_model import SessionModel
    from recjax.models.tables import Table
    from recjax.models.two_tower import TwoTower
    from recjax.nn.attention import FlatAttention
    from recjax.nn.backbones import EfficientNetLite0, SmallNet
    from recjax.nn.decayed_sum import DecayedSum, RecencyBag
    from recjax.nn.fields import HashEmbedding
    from recjax.nn.gru import Gru
    from recjax.nn.hier import HierTcn, SessionStates
    from recjax.nn.image import Photo
    from recjax.nn.inputs import Dense, EmbeddingBag
    from recjax.nn.tcn import Tcn
    from recjax.nn.tower import Tower
    from recjax.nn.transformer import Transformer, TransformerSettings
    from recjax.nn.vectors import Vectors
    from recjax.optim.optimizer import Adam, Frozen, Lamb, Optimizer
    from recjax.optim.rowwise import RowwiseAdagrad
    from recjax.optim.schedule import WarmupCosine
    from recjax.prepare.built_in import prepare_built_in
    from recjax.prepare.options import Files, How
    from recjax.prepare.prepare import prepare as prepare_data
    from recjax.pretrained.efficientnet import ImageNet
    from recjax.pretrained.warm_start import Bert
    from recjax.runs import train_run
    from recjax.text.features import NGrams, Pieces


@functools.cache
def _places() -> dict[str, tuple[str, str]]:
    """Returns name here -> module and name there."""
    with open(__file__, encoding="utf-8") as file:
        block = next(n for n in ast.parse(file.read()).body if isinstance(n, ast.If))
    return {
        alias.asname or alias.name: (line.module or "", alias.name)
        for line in block.body
        if isinstance(line, ast.ImportFrom)
        for alias in line.names
    }


def __getattr__(name: str) -> Any:
    if name.startswith("__") or name not in _places():
        raise AttributeError(f"module 'recjax' has no attribute {name!r}", name=name)
    module, known_as = _places()[name]
    return getattr(importlib.import_module(module), known_as)


def __dir__() -> list[str]:
    return ["__version__", *_places()]
