"""One file that holds JAX functions for any batch size and platform."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import export

from recjax.errors import UserError

PLATFORMS = ("cpu", "cuda", "tpu")
_FUNCTION = "function_"
_BROKEN = (OSError, ValueError, LookupError, EOFError, zipfile.BadZipFile)

Features = Mapping[str, Any]


def save(
    path: Path,
    functions: Mapping[str, Callable[[Any, Features], Any]],
    params: Any,
    features: Mapping[str, Features],
) -> None:
    """Writes functions and the parameters that they share to one file.

    The parameters are stored once, beside the programs, not as constants in them.

    Args:
      path: the file (a NumPy .npz archive without pickles).
      functions: name -> pure, (params, {name: [B, ...]}) -> array or pytree of arrays.
      params: a pytree of arrays.
      features: what each function takes; `B` may differ at each call.
    """
    leaves, tree = jax.tree.flatten(params)
    leaves = [host_array(leaf) for leaf in leaves]
    arrays = {f"param_{i}": leaf for i, leaf in enumerate(leaves)}
    for name, function in functions.items():
        (batch,) = export.symbolic_shape("b")
        specs = {
            key: jax.ShapeDtypeStruct((batch, *value.shape[1:]), value.dtype)
            for key, value in features[name].items()
        }

        def flat(leaves: list[Any], features: Features, function=function) -> Any:
            return function(jax.tree.unflatten(tree, leaves), features)

        exported = export.export(jax.jit(flat), platforms=PLATFORMS)(leaves, specs)
        arrays[_FUNCTION + name] = np.frombuffer(exported.serialize(), np.uint8)
    with open(path, "wb") as file:
        np.savez(file, **arrays)


def host_array(leaf: Any) -> np.ndarray:
    """Returns a parameter in host memory, in the type that JAX computes with."""
    leaf = np.asarray(leaf)
    return leaf.astype(jax.dtypes.canonicalize_dtype(leaf.dtype), copy=False)


@dataclass(frozen=True)
class Loaded:
    """A function of features alone, compiled for each number of rows that it meets.

    Attributes:
      inputs: name -> shape and type; the rows, first, may be of any number.
      outputs: the same, of the array or arrays that it returns.
    """

    inputs: Mapping[str, Any]
    outputs: Any
    _call: Callable[[Features], Any]

    def __call__(self, features: Features) -> Any:
        """Returns what the function makes of features."""
        return self._call(features)

    @classmethod
    def of(cls, program: export.Exported, leaves: list[Any]) -> Loaded:
        """Returns the function of a program and of the parameters that it reads."""
        call = jax.jit(program.call)
        (_, inputs), _ = jax.tree.unflatten(program.in_tree, program.in_avals)
        outputs = jax.tree.unflatten(program.out_tree, program.out_avals)
        return cls(inputs, outputs, lambda features: call(leaves, dict(features)))


def load(path: Path) -> dict[str, Loaded]:
    """Returns the functions of the features alone, each jit-compiled on first use.

    Raises:
      UserError: the file is missing, truncated or not such a file.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            found = {n: archive[n] for n in archive.files if n.startswith(_FUNCTION)}
            programs = {
                name.removeprefix(_FUNCTION): export.deserialize(bytearray(program))
                for name, program in found.items()
            }
            held = len(archive.files) - len(programs)
            wanted = [*programs.values()][0].in_avals[:held]
            # NumPy stores bfloat16 and other extension types as raw bytes.
            leaves = [
                archive[f"param_{i}"].view(aval.dtype) for i, aval in enumerate(wanted)
            ]
    except _BROKEN as error:
        raise UserError(
            f"{path}: not a readable jax.export artefact ({error}); "
            "it is missing or broken: export it anew"
        ) from error
    leaves = jax.device_put(leaves)
    return {name: Loaded.of(program, leaves) for name, program in programs.items()}
