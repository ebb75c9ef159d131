"""A bundle's functions as a SavedModel, by the signatures of `signatures`.

Parameters, item vectors and item ids are the model's variables, so its graph stays
small. With an exact plan any TensorFlow runs it; with a ScaNN plan the process must
import scann before it loads the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle.jax_export import PLATFORMS, host_array
from recjax.errors import UserError, nearest
from recjax.extras import require_tensorflow
from recjax.index import scann

Call = Callable[[Mapping[str, Any]], dict[str, np.ndarray]]
Graph = tuple[Mapping[str, Any], Callable[[dict[str, Any]], dict[str, Any]]]
"""The inputs of a signature by name, as `TensorSpec`s, and what makes its outputs."""
Signature = Callable[[Any, Any, Callable[[dict[str, Any]], Any]], Graph]
"""(TensorFlow, the module that holds what is saved, the function) -> its graph."""


def write(
    path: Path,
    function: Callable[[Any, Mapping[str, Any]], Any],
    held: Any,
    example: Mapping[str, Any],
    signatures: Mapping[str, Signature],
) -> None:
    """Writes the SavedModel.

    Args:
      path: a folder; made if absent.
      function: pure JAX, (held, arrays [B, ...]) -> array or arrays.
      held: a pytree of arrays.
      example: arrays that the function takes, for their shapes.
      signatures: by name.

    Raises:
      UserError: TensorFlow or ScaNN is not installed, or a signature cannot be made.
    """
    tf = require_tensorflow()
    import jax
    from jax.experimental import jax2tf

    leaves, tree = jax.tree.flatten(held)
    shapes = {
        name: "(" + ", ".join(["b", *map(str, value.shape[1:])]) + ")"
        for name, value in example.items()
    }
    convert = jax2tf.convert(
        lambda leaves, arrays: function(jax.tree.unflatten(tree, leaves), arrays),
        polymorphic_shapes=[None, shapes],
        with_gradient=False,
        native_serialization_platforms=PLATFORMS,
    )
    module = tf.Module()
    module.held = [tf.Variable(host_array(leaf), trainable=False) for leaf in leaves]
    made = {}
    for name, signature in signatures.items():
        specs, graph = signature(tf, module, lambda a: convert(module.held, a))
        specs = {n: tf.TensorSpec(s.shape, s.dtype, n) for n, s in specs.items()}
        traced = tf.function(graph, input_signature=[specs], autograph=False)
        setattr(module, name, traced)
        made[name] = traced.get_concrete_function()
    options = tf.saved_model.SaveOptions(namespace_whitelist=["Scann"])
    tf.saved_model.save(module, str(path), made, options)


def load(path: str | Path) -> dict[str, Call]:
    """Returns the signatures as callables of raw values.

    They take {name: B texts, B lists of ids of any lengths, or an array [B, ...]} and
    return arrays by name, strings as `str` (dtype object). Uses TensorFlow alone, and
    ScaNN if the file holds it.

    Raises:
      UserError: TensorFlow or ScaNN is needed and missing, or the folder is broken;
        from the callables: names differ from the signature's, or there is no example.
    """
    tf = require_tensorflow()
    graph = Path(path) / "saved_model.pb"
    if not graph.is_file():
        raise UserError(f"{path}: no saved_model.pb; this is not a SavedModel folder")
    if b"Scann>" in graph.read_bytes():
        scann.require_scann_tf()
    try:
        model = tf.saved_model.load(str(path))
        names = list(model.signatures)
    except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
        raise UserError(
            f"{path}: TensorFlow cannot load this SavedModel ({error}); export it anew"
        ) from error
    return {name: _callable(tf, model, name) for name in names}


def _callable(tf: Any, model: Any, signature: str) -> Call:
    specs = model.signatures[signature].structured_input_signature[1]

    def call(features: Mapping[str, Any]) -> dict[str, np.ndarray]:
        for name in features.keys() ^ specs.keys():
            hint = nearest(name, specs) if name in features else ""
            raise UserError(
                f"feature {name!r} is {'unknown' if name in features else 'missing'}; "
                f"the model takes {sorted(specs)}.{hint}"
            )
        sizes = {name: len(features[name]) for name in specs}
        if len(set(sizes.values())) > 1 or 0 in sizes.values():
            raise UserError(
                f"numbers of examples {sizes}; give every feature equally many, "
                "at least one"
            )
        tensors = {n: _tensor(tf, n, features[n], spec) for n, spec in specs.items()}
        # Through `model`: a signature alone does not keep its variables alive.
        found = model.signatures[signature](**tensors)
        return {name: _host(tf, value) for name, value in found.items()}

    return call


def _tensor(tf: Any, name: str, values: Any, spec: Any) -> Any:
    if isinstance(values, Sequence) and spec.shape.rank == 2:
        if any(isinstance(row, str) for row in values):
            raise UserError(f"feature {name!r} takes a list per example, not a text")
        width, filler = max(map(len, values)), "" if spec.dtype == tf.string else 0.0
        flat = [one for row in values for one in (*row, *[filler] * (width - len(row)))]
        flat = utf8(flat) if spec.dtype == tf.string else flat
        return tf.constant(flat, spec.dtype, [len(values), width])
    if spec.dtype == tf.string:
        return tf.constant(utf8(values), tf.string, [len(values)])
    return tf.constant(np.asarray(values), spec.dtype)


def _host(tf: Any, value: Any) -> np.ndarray:
    array = value.numpy()
    if value.dtype != tf.string:
        return array
    texts = [text.decode() for text in array.reshape(-1)]
    return np.array(texts, object).reshape(array.shape)


def utf8(texts: Sequence[str]) -> list[bytes]:
    """Returns texts as TensorFlow takes them."""
    return [text.encode("utf-8", "replace") for text in texts]
