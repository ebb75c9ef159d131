"""One file that holds a JAX function for any batch size and platform."""

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
_FUNCTION = "function"

Features = Mapping[str, Any]


def save(
    path: str | Path,
    function: Callable[[Any, Features], Any],
    params: Any,
    features: Features,
) -> None:
    """Writes `function` and its parameters to one file.

    The parameters are stored beside the program, not as constants in it.

    Args:
      path: the file (a NumPy .npz archive without pickles).
      function: pure, (params, {name: [B, ...]}) -> array or pytree of arrays.
      params: a pytree of arrays.
      features: arrays, or ShapeDtypeStructs, with a leading batch dimension. That one
        may differ at each call; the others are fixed.

    Raises:
      UserError: the package flatbuffers is not installed.
    """
    _require_flatbuffers()
    leaves, tree = jax.tree.flatten(params)
    leaves = [host_array(leaf) for leaf in leaves]
    (batch,) = export.symbolic_shape("b")
    specs = {
        name: jax.ShapeDtypeStruct((batch, *value.shape[1:]), value.dtype)
        for name, value in features.items()
    }

    def flat(leaves: list[Any], features: Features) -> Any:
        return function(jax.tree.unflatten(tree, leaves), features)

    exported = export.export(jax.jit(flat), platforms=PLATFORMS)(leaves, specs)
    arrays = {_leaf(i): leaf for i, leaf in enumerate(leaves)}
    arrays[_FUNCTION] = np.frombuffer(exported.serialize(), np.uint8)
    with open(path, "wb") as file:
        np.savez(file, **arrays)


def host_array(leaf: Any) -> np.ndarray:
    """Returns a parameter in host memory, in the type that JAX computes with."""
    leaf = np.asarray(leaf)
    return leaf.astype(jax.dtypes.canonicalize_dtype(leaf.dtype), copy=False)


def load(path: str | Path) -> Callable[[Features], Any]:
    """Returns the saved function of the features alone, jit-compiled on first use.

    Raises:
      UserError: the file is missing, truncated or not such a file, or the package
        flatbuffers is not installed.
    """
    _require_flatbuffers()
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            exported = export.deserialize(bytearray(archive[_FUNCTION].tobytes()))
            wanted = exported.in_avals[: len(archive.files) - 1]
            # NumPy stores bfloat16 and other extension types as raw bytes.
            leaves = [
                archive[_leaf(i)].view(aval.dtype) for i, aval in enumerate(wanted)
            ]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path}: not a readable jax.export artefact ({error}); "
            "it is missing or broken: export it anew"
        ) from error
    leaves = jax.device_put(leaves)
    call = jax.jit(exported.call)
    return lambda features: call(leaves, dict(features))


def _require_flatbuffers() -> None:
    if importlib.util.find_spec("flatbuffers") is None:
        raise UserError("a jax.export artefact needs: pip install flatbuffers")


def _leaf(number: int) -> str:
    return f"param_{number}"
