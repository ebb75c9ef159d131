"""Evaluation: queries, something that scores all items for them, and metrics."""

from typing import TYPE_CHECKING

from recjax import lazy

if TYPE_CHECKING:
    from recjax.evals.baselines.bm25 import Bm25
    from recjax.evals.baselines.history import History
    from recjax.evals.baselines.images import ImageFeature, Lda, LogisticAccuracy
    from recjax.evals.baselines.item_knn import ItemKnn
    from recjax.evals.baselines.markov import Markov
    from recjax.evals.baselines.moving_average import MovingAverage
    from recjax.evals.baselines.popularity import Popularity, RecentPop
    from recjax.evals.baselines.session_knn import SessionKnn
    from recjax.evals.branch_share import BranchShare
    from recjax.evals.fusion import Fusion
    from recjax.evals.gallery import GalleryRanking
    from recjax.evals.ranking import RandomIndex, Ranking
    from recjax.evals.tuned import Tuned

__getattr__, __dir__ = lazy.names(__name__, __file__)
