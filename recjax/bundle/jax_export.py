"""One file that holds JAX functions for any batch size and platform."""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import export

from recjax.errors import UserError

PLATFORMS = ("cpu", "cuda", "tpu")
_FUNCTION = "function_"
_BROKEN = (
    *(OSError, ValueError, KeyError, EOFError, StopIteration),
    zipfile.BadZipFile,
)

Features = Mapping[str, Any]


def save(
    path: str | Path,
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
      features: of each function: arrays, or ShapeDtypeStructs, with a leading batch
        dimension. That one may differ at each call; the others are fixed.

    Raises:
      UserError: the package flatbuffers is not installed.
    """
    _require_flatbuffers()
    leaves, tree = jax.tree.flatten(params)
    leaves = [host_array(leaf) for leaf in leaves]
    arrays = {_leaf(i): leaf for i, leaf in enumerate(leaves)}
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


def load(path: str | Path) -> dict[str, Callable[[Features], Any]]:
    """Returns the functions of the features alone, each jit-compiled on first use.

    Raises:
      UserError: the file is missing, truncated or not such a file, or the package
        flatbuffers is not installed.
    """
    _require_flatbuffers()
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            programs = {
                name.removeprefix(_FUNCTION): export.deserialize(
                    bytearray(archive[name].tobytes())
                )
                for name in archive.files
                if name.startswith(_FUNCTION)
            }
            held = len(archive.files) - len(programs)
            wanted = next(iter(programs.values())).in_avals[:held]
            # NumPy stores bfloat16 and other extension types as raw bytes.
            leaves = [
                archive[_leaf(i)].view(aval.dtype) for i, aval in enumerate(wanted)
            ]
    except _BROKEN as error:
        raise UserError(
            f"{path}: not a readable jax.export artefact ({error}); "
            "it is missing or broken: export it anew"
        ) from error
    leaves = jax.device_put(leaves)
    return {name: _bound(program, leaves) for name, program in programs.items()}


def _bound(program: export.Exported, leaves: list[Any]) -> Callable[[Features], Any]:
    call = jax.jit(program.call)
    return lambda features: call(leaves, dict(features))


def _require_flatbuffers() -> None:
    if importlib.util.find_spec("flatbuffers") is None:
        raise UserError("a jax.export artefact needs: pip install flatbuffers")


def _leaf(number: int) -> str:
    return f"param_{number}"
