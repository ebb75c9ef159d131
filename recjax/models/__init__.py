"""Models: from a batch and the table rows it touches to embeddings."""

from typing import TYPE_CHECKING

from recjax import lazy

if TYPE_CHECKING:
    from recjax.models.base import Model, TableRows, TableSpec
    from recjax.models.ensemble import Ensemble
    from recjax.models.multiscale import Multiscale
    from recjax.models.omni_search import OmniSearch
    from recjax.models.pair_counts import PairCounts
    from recjax.models.rivals import Rival
    from recjax.models.session_model import SessionModel
    from recjax.models.tables import Table
    from recjax.models.two_tower import TwoTower

__getattr__, __dir__ = lazy.names(__name__, __file__)
