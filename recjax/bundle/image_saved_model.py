"""The embedding of images as a SavedModel.

Signature `serving_default`: image uint8[B, size, size, 3] -> embedding f32[B, D].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle.jax_export import PLATFORMS, host_array
from recjax.bundle.towers import TowerFn
from recjax.extras import require_tensorflow


def write(path: Path, function: TowerFn, held: Any, size: int) -> None:
    """Writes the SavedModel.

    Args:
      path: a folder; made if absent.
      function: pure JAX, (held, {"image": pixels}) -> embeddings.
      held: a pytree of arrays.
      size: pixels a side.

    Raises:
      UserError: TensorFlow is not installed.
    """
    tf = require_tensorflow()
    import jax
    from jax.experimental import jax2tf

    leaves, tree = jax.tree.flatten(held)
    convert = jax2tf.convert(
        lambda leaves, given: function(jax.tree.unflatten(tree, leaves), given),
        polymorphic_shapes=[None, {"image": f"(b, {size}, {size}, 3)"}],
        with_gradient=False,
        native_serialization_platforms=PLATFORMS,
    )

    spec = tf.TensorSpec([None, size, size, 3], tf.uint8, "image")

    class Served(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.held = [
                tf.Variable(host_array(leaf), trainable=False) for leaf in leaves
            ]

        @tf.function(input_signature=[spec], autograph=False)
        def embed(self, image: Any) -> dict[str, Any]:
            return {"embedding": convert(self.held, {"image": image})}

    module = Served()
    signatures = {"serving_default": module.embed.get_concrete_function()}
    tf.saved_model.save(module, str(path), signatures)


def load(path: Path) -> Callable[[Mapping[str, np.ndarray]], np.ndarray]:
    """Returns {"image": pixels} -> embeddings.

    Raises:
      UserError: TensorFlow is not installed.
    """
    tf = require_tensorflow()
    model = tf.saved_model.load(str(path))

    def call(features: Mapping[str, np.ndarray]) -> np.ndarray:
        # Through `model`: a signature alone does not keep its variables alive.
        images = tf.constant(np.asarray(features["image"]))
        return model.signatures["serving_default"](image=images)["embedding"].numpy()

    return call
