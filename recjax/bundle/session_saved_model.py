"""A session model's step and scores as a SavedModel.

Signatures: `step` takes what `recjax.bundle.session_step.step_function` takes, memory
names with "_" for "/", and returns the same; `scores` takes user f32[B, D + F] and, if
the model weighs features of pairs, `pair` f32[B, N, F], and returns scores f32[B, N].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle.jax_export import PLATFORMS, host_array
from recjax.extras import require_tensorflow


def write(
    path: Path,
    step: Callable[[Any, Any], Any],
    held: Any,
    arrays: Mapping[str, np.ndarray],
    vectors: np.ndarray,
    pairs: int = 0,
) -> None:
    """Writes the SavedModel.

    Args:
      path: a folder; made if absent.
      step: pure JAX, (held, arrays) -> arrays.
      held: a pytree of arrays.
      arrays: what the step takes, for shapes; the leading axis may differ at each call.
      vectors: f32[N, D].
      pairs: `F`.

    Raises:
      UserError: TensorFlow is not installed.
    """
    tf = require_tensorflow()
    import jax
    from jax.experimental import jax2tf

    leaves, tree = jax.tree.flatten(held)
    shapes = {
        name: "(" + ", ".join(["b", *map(str, value.shape[1:])]) + ")"
        for name, value in arrays.items()
    }
    convert = jax2tf.convert(
        lambda leaves, arrays: step(jax.tree.unflatten(tree, leaves), arrays),
        polymorphic_shapes=[None, shapes],
        with_gradient=False,
        native_serialization_platforms=PLATFORMS,
    )
    specs = {
        _tf_name(name): tf.TensorSpec(
            [None, *value.shape[1:]], value.dtype, _tf_name(name)
        )
        for name, value in arrays.items()
    }
    size, width = vectors.shape
    asked = {"user": tf.TensorSpec([None, width + pairs], tf.float32, "user")}
    if pairs:
        asked["pair"] = tf.TensorSpec([None, size, pairs], tf.float32, "pair")

    class Served(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.held = [
                tf.Variable(host_array(leaf), trainable=False) for leaf in leaves
            ]
            self.vectors = tf.Variable(vectors, trainable=False)

        @tf.function(input_signature=[specs], autograph=False)
        def step(self, given: dict[str, Any]) -> dict[str, Any]:
            out = convert(self.held, {name: given[_tf_name(name)] for name in arrays})
            return {_tf_name(name): value for name, value in out.items()}

        @tf.function(input_signature=[asked], autograph=False)
        def scores(self, given: dict[str, Any]) -> dict[str, Any]:
            user = given["user"]
            found = tf.matmul(user[:, :width], self.vectors, transpose_b=True)
            if pairs:
                found += tf.einsum("bf,bnf->bn", user[:, width:], given["pair"])
            return {"scores": found}

    module = Served()
    signatures = {
        "step": module.step.get_concrete_function(),
        "scores": module.scores.get_concrete_function(),
    }
    tf.saved_model.save(module, str(path), signatures)


def load(path: Path) -> Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]:
    """Returns the step of a SavedModel, under the names that `step_function` uses."""
    tf = require_tensorflow()
    model = tf.saved_model.load(str(path))

    def call(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        # Through `model`: a signature alone does not keep its variables alive.
        given = {_tf_name(n): tf.constant(np.asarray(v)) for n, v in arrays.items()}
        out = model.signatures["step"](**given)
        return {
            name.replace("memory_", "memory/"): value.numpy()
            for name, value in out.items()
        }

    return call


def _tf_name(name: str) -> str:
    return name.replace("/", "_")
