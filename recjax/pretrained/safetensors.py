"""The safetensors file format: a JSON header, then raw little-endian arrays."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import ml_dtypes
import numpy as np

from recjax.errors import UserError

DTYPES = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": ml_dtypes.bfloat16},
    **{"I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?"},
}
_LARGEST_HEADER = 100_000_000


def read(path: Path) -> dict[str, np.ndarray]:
    """Returns the tensors of a file by name; their bytes are read when they are used.

    Raises:
      UserError: the file cannot be read, is damaged, or holds a type unknown here.
    """
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            start = 8 + int.from_bytes(file.read(8), "little")
            if not 8 < start <= min(size, _LARGEST_HEADER):
                raise ValueError(f"its header would end at byte {start} of {size}")
            header = json.loads(file.read(start - 8))
        header.pop("__metadata__", None)
        data = np.memmap(path, np.uint8, "r") if size > start else np.zeros(0, "u1")
        tensors = {n: _tensor(data[start:], **about) for n, about in header.items()}
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise UserError(
            f"{path}: not a whole safetensors file ({type(error).__name__}: {error}); "
            "copy it again"
        ) from error
    return tensors


def write(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Writes tensors, in C order, as a file that `read` and others read.

    Raises:
      ValueError: a type that the format does not know.
      OSError: the file cannot be written.
    """
    names = {np.dtype(kind): name for name, kind in DTYPES.items()}
    header, end = {}, 0
    for name, value in tensors.items():
        if value.dtype not in names:
            raise ValueError(f"tensor {name!r}: no type for {value.dtype}")
        start, end = end, end + value.nbytes
        header[name] = {
            "dtype": names[value.dtype],
            "shape": list(value.shape),
            "data_offsets": [start, end],
        }
    # The format's readers may want tensors to start at a multiple of 8.
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for value in tensors.values():
            file.write(np.ascontiguousarray(value).tobytes())


def _tensor(
    data: np.ndarray, dtype: str, shape: list[int], data_offsets: list[int]
) -> np.ndarray:
    if dtype not in DTYPES:
        raise ValueError(f"type {dtype!r} is none of {', '.join(DTYPES)}")
    start, stop = data_offsets
    kind = np.dtype(DTYPES[dtype])
    wanted = math.prod(shape) * kind.itemsize
    if not 0 <= start <= stop <= data.size or stop - start != wanted:
        raise ValueError(
            f"a tensor of shape {shape} lies at bytes {start} to {stop} of {data.size}"
        )
    return data[start:stop].view(kind).reshape(shape)
