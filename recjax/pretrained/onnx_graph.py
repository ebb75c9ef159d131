"""The graph of an `.onnx` file, as far as some of its values need it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recjax.errors import UserError, nearest
from recjax.extras import require

OPSETS = range(7, 29)
"""Versions of the operators whose meaning `recjax.pretrained.onnx_ops` knows."""
DOMAINS = ("", "ai.onnx")
Given = Sequence[Any]
"""Inputs of a node: arrays, and None where an optional one is left out."""
SHOWN = 6
"""Names of values that a message shows."""


@dataclass(frozen=True)
class Node:
    """One step of a graph.

    Attributes:
      operator: for example "Conv".
      name: for messages.
      inputs: names of values; "" where an optional one is left out.
      outputs: names of values, of which one is made.
      attributes: settings of the operator.
      opset: version of the operators.
    """

    operator: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    opset: int

    def __str__(self) -> str:
        """Names the node in a message."""
        return f"{self.operator} {self.name!r}"


@dataclass(frozen=True)
class Graph:
    """What makes some values of a graph from one input.

    Attributes:
      nodes: in the order in which they run.
      weights: name -> f32, what is learned, in the order of its use.
      constants: name -> what is not: numbers of other types, and single numbers.
      input: name of the images.
      shape: of them, None where it is open.
    """

    nodes: tuple[Node, ...]
    weights: Mapping[str, np.ndarray]
    constants: Mapping[str, np.ndarray]
    input: str
    shape: tuple[int | None, ...]


def read(path: Path, values: Sequence[str]) -> Graph:
    """Returns the part of a file's graph that makes some values.

    Floating-point numbers of 16 and 64 bits become such of 32.

    Args:
      path: `.onnx`; weights that lie in other files beside it are read too.
      values: names, of the graph's outputs or of what it makes in between.

    Raises:
      UserError: the file cannot be read, makes no such value, has not one input, or is
        of a version that is not known.
    """
    model = _model(path)
    opset = _opset(path, model)
    makers = {out: node for node in model.graph.node for out in node.output if out}
    for value in values:
        if value not in makers:
            last = ", ".join(map(repr, list(makers)[-SHOWN:]))
            raise UserError(
                f"{path}: makes no value {value!r}; its last ones are {last}."
                f"{nearest(value, makers)}"
            )
    wanted, todo = set[str](), list(values)
    while todo:
        name = todo.pop()
        if name not in wanted:
            wanted.add(name)
            todo += [one for one in getattr(makers.get(name), "input", ()) if one]
    held = {t.name: t for t in model.graph.initializer if t.name in wanted}
    constants, nodes = {n: _array(path, t) for n, t in held.items()}, []
    for number, node in enumerate(model.graph.node):
        if not wanted & set(node.output):
            continue
        if node.op_type == "Constant" and node.domain in DOMAINS:
            constants[node.output[0]] = _constant(path, node)
        else:
            nodes.append(_node(node, number, opset))
    inputs = [i for i in model.graph.input if i.name in wanted - set(constants)]
    if len(inputs) != 1:
        names = ", ".join(repr(i.name) for i in inputs) or "none"
        raise UserError(f"{path}: needs one input, the images; it has {names}")
    learned = {n for n, x in constants.items() if x.ndim and x.dtype == np.float32}
    # In the order of their use, which a file written anew keeps.
    used = dict.fromkeys(n for node in nodes for n in node.inputs if n in learned)
    weights = {name: constants[name] for name in used}
    rest = {n: x for n, x in constants.items() if n not in weights}
    return Graph(tuple(nodes), weights, rest, inputs[0].name, _shape(inputs[0]))


def _model(path: Path) -> Any:
    require("onnx", "onnx", f"reading {path}")
    import onnx

    try:
        return onnx.load(str(path))
    # What a damaged file or missing weights beside it raise is not said anywhere.
    except Exception as error:
        raise UserError(
            f"{path}: no ONNX file that can be read ({type(error).__name__}: {error})"
        ) from error


def _opset(path: Path, model: Any) -> int:
    found = [one.version for one in model.opset_import if one.domain in DOMAINS]
    if len(found) != 1 or found[0] not in OPSETS:
        raise UserError(
            f"{path}: its operators are of version {found or 'none'}, known are "
            f"{OPSETS[0]} to {OPSETS[-1]}: export it with such an opset"
        )
    return found[0]


def _array(path: Path, tensor: Any) -> np.ndarray:
    from onnx import numpy_helper

    try:
        array = numpy_helper.to_array(tensor)
    except Exception as error:
        raise UserError(
            f"{path}: the tensor {tensor.name!r} cannot be read ({error})"
        ) from error
    # bfloat16 is a type of its own, and no kind of floating point to NumPy.
    floating = array.dtype.kind == "f" or array.dtype.name == "bfloat16"
    return array.astype(np.float32) if floating else array


def _constant(path: Path, node: Any) -> np.ndarray:
    """Returns the value of a Constant."""
    from onnx import helper

    (given,) = node.attribute
    if given.name == "value":
        return _array(path, given.t)
    if given.name in ("value_float", "value_floats"):
        return np.asarray(helper.get_attribute_value(given), np.float32)
    if given.name in ("value_int", "value_ints"):
        return np.asarray(helper.get_attribute_value(given), np.int64)
    raise UserError(
        f"{path}: the Constant {node.output[0]!r} is given as {given.name}, which is "
        "not supported"
    )


def _node(node: Any, number: int, opset: int) -> Node:
    from onnx import helper

    own = node.domain not in DOMAINS
    return Node(
        operator=f"{node.domain}.{node.op_type}" if own else node.op_type,
        name=node.name or f"number {number}",
        inputs=tuple(node.input),
        outputs=tuple(node.output),
        attributes={
            a.name: _plain(helper.get_attribute_value(a)) for a in node.attribute
        },
        opset=opset,
    )


def _plain(value: Any) -> Any:
    """Returns an attribute with text as text, and several numbers as a tuple."""
    if isinstance(value, bytes):
        return value.decode()
    return tuple(value) if isinstance(value, list) else value


def _shape(value: Any) -> tuple[int | None, ...]:
    dims = value.type.tensor_type.shape.dim
    return tuple(d.dim_value if d.HasField("dim_value") else None for d in dims)
