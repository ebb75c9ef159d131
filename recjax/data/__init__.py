"""Data: raw files -> checked tables -> prepared array_record -> columns in memory."""

from typing import TYPE_CHECKING

from recjax import lazy

if TYPE_CHECKING:
    from recjax.data.catalog.pairs import Engagement
    from recjax.data.catalog.search import CatalogSearch
    from recjax.data.columns import (
        CategoryColumn,
        ImageColumn,
        NumberColumn,
        TextColumn,
        TimeColumn,
        VectorColumn,
    )
    from recjax.data.cooccurrence import Cooccurrence
    from recjax.data.images.source import Images
    from recjax.data.next_item import NextItem
    from recjax.data.search import Search
    from recjax.data.sessions.fixed import VectorsFromEvents
    from recjax.data.sessions.habits import Habits
    from recjax.data.sessions.next import NextInSession
    from recjax.data.sessions.packing import Packed
    from recjax.data.sessions.recent_popularity import RecentPopularity
    from recjax.data.sessions.repeats import Repeats
    from recjax.data.sessions.transitions import Transitions
    from recjax.data.splits import (
        ByColumn,
        ByItem,
        ByQuery,
        ByTime,
        ByUser,
        FromTime,
        LastOut,
    )
    from recjax.data.triplets.exact import TripletRules

__getattr__, __dir__ = lazy.names(__name__, __file__)
