"""Files in the safetensors format, as arrays of NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recjax.errors import UserError


def read(path: Path) -> dict[str, np.ndarray]:
    """Returns the tensors of a file by name; those of bfloat16 are of ml_dtypes.

    Raises:
      UserError: the file cannot be read or is damaged, or the package is missing.
    """
    package = _package()
    try:
        return package.numpy.load_file(path)
    except (OSError, package.SafetensorError) as error:
        raise UserError(
            f"{path}: not a whole safetensors file ({type(error).__name__}: {error}); "
            "copy it again"
        ) from error


def write(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Writes tensors as a file that `read` and others read.

    Raises:
      UserError: the package is missing.
      OSError: the file cannot be written.
    """
    # The package writes memory as it lies, whatever the strides.
    whole = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    path.write_bytes(_package().numpy.save(whole))


def _package() -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise UserError(
            f"safetensors files need the package safetensors ({error}): "
            "pip install 'recjax[text]'"
        ) from error
    return safetensors
