"""Models: from a batch and the table rows it touches to embeddings."""

from recjax.models.base import Model, TableRows, TableSpec
from recjax.models.multiscale import Multiscale
from recjax.models.two_tower import Table, Tower, TwoTower

__all__ = [
    "Model",
    "Multiscale",
    "Table",
    "TableRows",
    "TableSpec",
    "Tower",
    "TwoTower",
]
