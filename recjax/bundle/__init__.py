"""Export: item index, SavedModel, jax.export artefact and the bundle manifest."""

from typing import TYPE_CHECKING

from recjax import lazy

if TYPE_CHECKING:
    from recjax.bundle.image import ImageBundle
    from recjax.bundle.pretrained_export import EncoderFolder
    from recjax.bundle.session import SessionBundle
    from recjax.bundle.two_tower import Bundle

__getattr__, __dir__ = lazy.names(__name__, __file__)
