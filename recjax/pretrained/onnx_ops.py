"""Operators of ONNX that networks for images are made of, in JAX.

Their meaning is that of the ONNX specification ("Operator Schemas"). Maps are
[1, channels, height, width]; what is no weight and no map must be known when the
network is compiled. What is not written here is refused by its name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from recjax.errors import UserError
from recjax.pretrained import onnx_windows as windows
from recjax.pretrained.onnx_graph import Given, Graph, Node
from recjax.typing import Array


def refused(graph: Graph) -> list[str]:
    """Returns what of a graph cannot be run: operators and attributes, by name."""
    found = {}
    for node in graph.nodes:
        if node.operator not in OPERATORS:
            found[f"operator {node.operator}"] = None
            continue
        for name in set(node.attributes) - set(OPERATORS[node.operator][1]):
            found[f"attribute {name} of {node.operator}"] = None
        if len([one for one in node.outputs if one]) > 1:
            found[f"more than one output of {node.operator}"] = None
    return list(found)


def run(graph: Graph, weights: Mapping[str, Any], image: Array) -> dict[str, Array]:
    """Returns all values that a graph makes of one image, by name.

    Args:
      graph: of which nothing is `refused`.
      weights: name -> value.
      image: [1, channels, height, width].

    Raises:
      UserError: a node cannot be run on what it is given.
    """
    values: dict[str, Any] = {**graph.constants, **weights, graph.input: image}
    for node in graph.nodes:
        given = [values[name] if name else None for name in node.inputs]
        try:
            values[node.outputs[0]] = OPERATORS[node.operator][0](node, given)
        except (TypeError, ValueError) as error:
            raise UserError(f"{node}: {error}") from error
    return values


def _batch_norm(node: Node, given: Given) -> Array:
    if node.attributes.get("training_mode", 0) or not node.attributes.get("spatial", 1):
        raise UserError(f"{node}: training_mode = 1 and spatial = 0 are not supported")
    x, *rest = given
    scale, bias, mean, var = (one.reshape(-1, *(1,) * (x.ndim - 2)) for one in rest)
    eps = node.attributes.get("epsilon", 1e-5)
    return (x - mean) * (scale * lax.rsqrt(var + eps)) + bias


def _clip(node: Node, given: Given) -> Array:
    x, *limits = given
    low, high = (*limits, None, None)[:2]
    low = node.attributes.get("min", low)
    high = node.attributes.get("max", high)
    return jnp.clip(x, low, high)


def _hard_sigmoid(node: Node, given: Given) -> Array:
    alpha, beta = (
        node.attributes.get(k, v) for k, v in (("alpha", 0.2), ("beta", 0.5))
    )
    return jnp.clip(alpha * given[0] + beta, 0.0, 1.0)


def _dropout(node: Node, given: Given) -> Array:
    if len(given) > 2 and given[2] is not None and np.any(_static(node, given[2])):
        raise UserError(f"{node}: training_mode = true is not supported")
    return given[0]


def _gemm(node: Node, given: Given) -> Array:
    a, b, c = (*given, None)[:3]
    settings = node.attributes
    a = a.T if settings.get("transA", 0) else a
    b = b.T if settings.get("transB", 0) else b
    made = settings.get("alpha", 1.0) * (a @ b)
    return made if c is None else made + settings.get("beta", 1.0) * c


def _flatten(node: Node, given: Given) -> Array:
    x, axis = given[0], node.attributes.get("axis", 1)
    return x.reshape(math.prod(x.shape[: axis % (x.ndim + 1)]), -1)


def _reshape(node: Node, given: Given) -> Array:
    x, shape = given[0], _static(node, given[1]).tolist()
    if not node.attributes.get("allowzero", 0):
        shape = [x.shape[i] if n == 0 else n for i, n in enumerate(shape)]
    return x.reshape(shape)


def _axes(node: Node, given: Given) -> tuple[int, ...] | None:
    """Returns the axes of a node, an input or (in older versions) an attribute."""
    if len(given) > 1 and given[1] is not None:
        return tuple(_static(node, given[1]).tolist())
    return node.attributes.get("axes")


def _reduce_mean(node: Node, given: Given) -> Array:
    x, axes = given[0], _axes(node, given)
    if not axes and node.attributes.get("noop_with_empty_axes", 0):
        return x
    keep = bool(node.attributes.get("keepdims", 1))
    return jnp.mean(x, axes or None, keepdims=keep)


def _squeeze(node: Node, given: Given) -> Array:
    axes = _axes(node, given)
    if axes is None:
        raise UserError(f"{node}: without axes it is not supported: name them")
    return jnp.squeeze(given[0], axes)


def _unsqueeze(node: Node, given: Given) -> Array:
    return jnp.expand_dims(given[0], _axes(node, given) or ())


def _softmax(node: Node, given: Given) -> Array:
    x = given[0]
    if node.opset >= 13:
        return jax.nn.softmax(x, node.attributes.get("axis", -1))
    # Before, all axes from this one on were one.
    axis = node.attributes.get("axis", 1) % x.ndim
    return jax.nn.softmax(x, tuple(range(axis, x.ndim)))


def _pad(node: Node, given: Given) -> Array:
    x, settings = given[0], node.attributes
    _, pads, value, axes = (*given, None, None, None)[:4]
    pads = settings["pads"] if pads is None else _static(node, pads).tolist()
    value = settings.get("value", 0.0) if value is None else value
    where = range(x.ndim) if axes is None else _static(node, axes).tolist()
    mode, half = settings.get("mode", "constant"), len(pads) // 2
    around = [(0, 0)] * x.ndim
    for at, before, after in zip(where, pads[:half], pads[half:], strict=True):
        around[at] = before, after
    if mode not in ("constant", "reflect", "edge") or min(map(min, around)) < 0:
        raise UserError(f"{node}: mode = {mode!r} with {pads} is not supported")
    if mode == "constant":
        return jnp.pad(x, around, constant_values=value)
    return jnp.pad(x, around, mode)


def _static(node: Node, value: Any) -> np.ndarray:
    """Returns a value that must be known when the network is compiled."""
    if isinstance(value, np.ndarray):
        return value
    raise UserError(
        f"{node}: takes a shape, axes or pads that the graph itself computes: export "
        "it with constants folded"
    )


def _each(function: Callable) -> Callable[[Node, Given], Array]:
    return lambda node, given: function(*given)


_WINDOW = ("auto_pad", "dilations", "kernel_shape", "pads", "strides")
OPERATORS: Mapping[str, tuple[Callable[[Node, Given], Array], Sequence[str]]] = {
    "Add": (_each(lambda a, b: a + b), ()),
    "AveragePool": (windows.average_pool, (*_WINDOW, "ceil_mode", "count_include_pad")),
    "BatchNormalization": (
        _batch_norm,
        ("epsilon", "momentum", "training_mode", "spatial"),
    ),
    "Clip": (_clip, ("min", "max")),
    "Concat": (
        lambda n, given: jnp.concatenate(given, n.attributes["axis"]),
        ("axis",),
    ),
    "Conv": (windows.conv, (*_WINDOW, "group")),
    "Div": (_each(lambda a, b: a / b), ()),
    "Dropout": (_dropout, ("ratio", "seed")),
    "Flatten": (_flatten, ("axis",)),
    "Gemm": (_gemm, ("alpha", "beta", "transA", "transB")),
    "GlobalAveragePool": (
        lambda n, given: given[0].mean(tuple(range(2, given[0].ndim)), keepdims=True),
        (),
    ),
    "HardSigmoid": (_hard_sigmoid, ("alpha", "beta")),
    "HardSwish": (_each(lambda x: x * jnp.clip(x / 6 + 0.5, 0.0, 1.0)), ()),
    "Identity": (_each(lambda x: x), ()),
    "MatMul": (_each(jnp.matmul), ()),
    "MaxPool": (windows.max_pool, (*_WINDOW, "ceil_mode", "storage_order")),
    "Mul": (_each(lambda a, b: a * b), ()),
    "Pad": (_pad, ("mode", "pads", "value")),
    "ReduceMean": (_reduce_mean, ("axes", "keepdims", "noop_with_empty_axes")),
    "Relu": (_each(jax.nn.relu), ()),
    "Reshape": (_reshape, ("allowzero",)),
    "Sigmoid": (_each(jax.nn.sigmoid), ()),
    "Softmax": (_softmax, ("axis",)),
    "Squeeze": (_squeeze, ("axes",)),
    "Sub": (_each(lambda a, b: a - b), ()),
    "Transpose": (
        lambda n, given: jnp.transpose(given[0], n.attributes.get("perm")),
        ("perm",),
    ),
    "Unsqueeze": (_unsqueeze, ("axes",)),
}
"""Operator -> what it does, and the attributes that are understood."""
