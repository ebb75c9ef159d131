"""The user's own checked tables as data sets."""

from __future__ import annotations

from typing import Any

from recjax.data.interactions import Interactions
from recjax.data.search_pairs import SearchPairs
from recjax.prepare.datasets.base import InteractionsBuilder, SearchBuilder


class OwnInteractions(InteractionsBuilder):
    """Interactions that are already in memory."""

    name = "own_interactions"

    def __init__(self, *, data: Interactions, **kwargs: Any) -> None:
        """Takes the data; `kwargs` are those of a TFDS builder."""
        self._data = data
        super().__init__(**kwargs)

    def tables(self) -> Interactions:
        """Returns the data."""
        return self._data


class OwnSearch(SearchBuilder):
    """Search pairs that are already in memory."""

    name = "own_search"

    def __init__(self, *, data: SearchPairs, **kwargs: Any) -> None:
        """Takes the data; `kwargs` are those of a TFDS builder."""
        self._data = data
        super().__init__(**kwargs)

    def tables(self) -> SearchPairs:
        """Returns the data."""
        return self._data
