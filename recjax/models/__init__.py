"""Models: from a batch and the table rows it touches to embeddings."""

from recjax.models.base import Model, TableRows, TableSpec
from recjax.models.ensemble import Ensemble
from recjax.models.multiscale import Multiscale
from recjax.models.omni_search import OmniSearch
from recjax.models.pair_counts import PairCounts
from recjax.models.tables import Table
from recjax.models.two_tower import TwoTower
from recjax.nn.tower import Tower

__all__ = [
    "Ensemble",
    "Model",
    "Multiscale",
    "OmniSearch",
    "PairCounts",
    "Table",
    "TableRows",
    "TableSpec",
    "Tower",
    "TwoTower",
]
