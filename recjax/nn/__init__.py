"""Building blocks of models: Linen modules and pure functions over arrays."""

from typing import TYPE_CHECKING

from recjax import lazy

if TYPE_CHECKING:
    from recjax.nn.attention import FlatAttention
    from recjax.nn.backbones import SmallNet
    from recjax.nn.decayed_sum import DecayedSum, RecencyBag
    from recjax.nn.fields import HashEmbedding
    from recjax.nn.gru import Gru
    from recjax.nn.hier import HierTcn, SessionStates
    from recjax.nn.image import Photo
    from recjax.nn.inputs import Dense, EmbeddingBag, Scaled
    from recjax.nn.lite import EfficientNetLite, FrozenLite
    from recjax.nn.sketch import CountMin
    from recjax.nn.tcn import Tcn
    from recjax.nn.tower import Tower
    from recjax.nn.transformer import Transformer, TransformerSettings
    from recjax.nn.vectors import Vectors

__getattr__, __dir__ = lazy.names(__name__, __file__)
