"""A bundle's functions as a SavedModel, by the signatures of `signatures`.

Parameters, item vectors and item ids are the model's variables, so its graph stays
small. With an exact plan any TensorFlow runs it; with a ScaNN plan the process must
import scann before it loads the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle.jax_export import PLATFORMS, host_array
from recjax.errors import UserError
from recjax.extras import require_tensorflow
from recjax.index import scann

Arrays = Mapping[str, Any]
Call = Callable[[Mapping[str, Any]], dict[str, np.ndarray]]
Graph = tuple[Mapping[str, Any], Callable[[dict[str, Any]], dict[str, Any]]]
"""The inputs of a signature by name, as `TensorSpec`s, and what makes its outputs."""
Functions = Mapping[str, Callable[[dict[str, Any]], Any]]
Graphs = Callable[[Any, Any, Functions], Mapping[str, Graph]]
"""(TensorFlow, the module that holds what is saved, functions of tensors by name) ->
signature -> its graph."""


def write(
    path: Path,
    functions: Mapping[str, Callable[[Any, Arrays], Any]],
    held: Any,
    examples: Mapping[str, Arrays],
    graphs: Graphs,
) -> dict[str, dict[str, Any]]:
    """Writes the SavedModel of pure JAX functions, (held, arrays like its example).

    Returns signature -> input -> its `TensorSpec`.

    Raises:
      UserError: TensorFlow or ScaNN is not installed, or a signature cannot be made.
    """
    tf = require_tensorflow()
    import jax
    from jax.experimental import jax2tf

    leaves, tree = jax.tree.flatten(held)
    module = tf.Module()
    module.held = [tf.Variable(host_array(leaf), trainable=False) for leaf in leaves]

    def converted(name: str) -> Callable[[dict[str, Any]], Any]:
        shapes = {
            key: "(" + ", ".join(["b", *map(str, value.shape[1:])]) + ")"
            for key, value in examples[name].items()
        }
        convert = jax2tf.convert(
            lambda leaves, arrays: functions[name](
                jax.tree.unflatten(tree, leaves), arrays
            ),
            polymorphic_shapes=[None, shapes],
            with_gradient=False,
            native_serialization_platforms=PLATFORMS,
        )
        return lambda arrays: convert(module.held, arrays)

    made, taken = {}, {}
    graphs_by_name = graphs(tf, module, {name: converted(name) for name in functions})
    for name, (specs, graph) in graphs_by_name.items():
        specs = {n: tf.TensorSpec(s.shape, s.dtype, n) for n, s in specs.items()}
        taken[name] = specs
        traced = tf.function(graph, input_signature=[specs], autograph=False)
        setattr(module, name, traced)
        made[name] = traced.get_concrete_function()
    options = tf.saved_model.SaveOptions(namespace_whitelist=["Scann"])
    tf.saved_model.save(module, str(path), made, options)
    return taken


def load(path: Path) -> dict[str, Call]:
    """Returns the signatures as functions of raw values, by name.

    They take every input by its name: B values or lists of any lengths, None where one
    is missing, or an array [B, ...]. Uses TensorFlow alone, and ScaNN if it is inside.

    Raises:
      UserError: TensorFlow or ScaNN is needed and missing, or the folder is broken.
    """
    tf = require_tensorflow()
    try:
        if b"Scann>" in (path / "saved_model.pb").read_bytes():
            scann.require_scann_tf()
        model = tf.saved_model.load(str(path))
    except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
        raise UserError(
            f"{path}: TensorFlow cannot load this SavedModel ({error}); export it anew"
        ) from error

    def call(features: Mapping[str, Any], signature: str) -> dict[str, np.ndarray]:
        # Through `model`: a signature alone does not keep its variables alive.
        function = model.signatures[signature]
        specs = function.structured_input_signature[1]
        tensors = {n: tensor(tf, value, specs[n]) for n, value in features.items()}
        found = {name: value.numpy() for name, value in function(**tensors).items()}
        return {n: _texts(v) if v.dtype == object else v for n, v in found.items()}

    return {name: partial(call, signature=name) for name in model.signatures}


def tensor(tf: Any, values: Any, spec: Any) -> Any:
    """Returns raw values as a tensor; lists are filled up, None is missing."""
    rank = spec.shape.rank
    if rank > 3 or isinstance(values, np.ndarray):
        return tf.constant(np.asarray(values), spec.dtype)
    if spec.dtype == tf.string:
        missing: Any = ""
    else:
        missing = float("nan") if spec.dtype.is_floating else -1
    if rank == 1:
        flat, shape = [missing if v is None else v for v in values], [len(values)]
    else:
        rows = [[] if value is None else list(value) for value in values]
        if rank == 3:  # One vector may stand for a list of one.
            rows = [[r] if len(r) and np.ndim(r[0]) == 0 else r for r in rows]
            missing = [missing] * spec.shape[2]
        elif spec.dtype != tf.string:
            missing = 0.0
        most = max(map(len, rows), default=0)
        flat = [one for row in rows for one in (*row, *[missing] * (most - len(row)))]
        shape = [len(rows), most, *spec.shape[2:]]
    if spec.dtype == tf.string:
        flat = utf8(flat)
    return tf.reshape(tf.constant(flat, spec.dtype), shape)


def _texts(array: np.ndarray) -> np.ndarray:
    return np.vectorize(bytes.decode, [object])(array)


def utf8(texts: Sequence[str | bytes]) -> list[bytes]:
    """Returns texts, or files, as TensorFlow takes them."""
    return [t if isinstance(t, bytes) else t.encode("utf-8", "replace") for t in texts]
