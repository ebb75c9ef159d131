"""Weights that others trained, from a local folder; neither torch nor a network."""

from typing import TYPE_CHECKING

from recjax import lazy

if TYPE_CHECKING:
    from recjax.pretrained.efficientnet import EfficientNetFile, ImageNet
    from recjax.pretrained.onnx import Onnx
    from recjax.pretrained.warm_start import Bert

__getattr__, __dir__ = lazy.names(__name__, __file__)
