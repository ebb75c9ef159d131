"""Search in a catalogue: a query leads to pins, products and other queries."""

from __future__ import annotations

from dataclasses import dataclass

from recjax.data.catalog.data import CatalogData
from recjax.data.catalog.read import load_catalog
from recjax.data.catalog.settings import ASKED, TASKS, CatalogSettings
from recjax.data.prepared import prepared_path

__all__ = ["ASKED", "TASKS", "CatalogSearch"]


@dataclass(frozen=True)
class CatalogSearch(CatalogSettings):
    """Search in a prepared catalogue; see `CatalogSettings` for the settings."""

    def open(self, seed: int) -> CatalogData:
        """Reads the prepared catalogue.

        Raises:
          UserError: it is not prepared.
        """
        return CatalogData(self, seed, load_catalog(prepared_path(self.source)))
