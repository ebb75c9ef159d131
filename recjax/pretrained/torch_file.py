"""Tensors of a `torch.save` file, read without torch and without running its pickle.

Such a file is a zip archive of one pickle, which describes the tensors, and one entry
of raw numbers per storage; before torch 1.6, several pickles with the raw numbers after
them. A pickle may name any function of any module to be called; here it gets stand-ins
for the few that describe tensors, and all else is refused.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import ml_dtypes
import numpy as np

from recjax.errors import UserError

_STORAGES = {
    **{"FloatStorage": "f4", "DoubleStorage": "f8", "HalfStorage": "f2"},
    **{"BFloat16Storage": ml_dtypes.bfloat16, "BoolStorage": "?", "ByteStorage": "u1"},
    **{"LongStorage": "i8", "IntStorage": "i4", "ShortStorage": "i2"},
    **{"CharStorage": "i1"},
}
_OLD_START = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
"""The magic number that files of torch before 1.6 start with."""

Order = Literal["<", ">"]
Numbers = Callable[[str, np.dtype, int], np.ndarray]


def read(path: Path) -> dict[str, np.ndarray]:
    """Returns the tensors of a state dict by name.

    Raises:
      UserError: the file cannot be read, is damaged, wants more than tensors, or holds
        none by name.
    """
    try:
        with open(path, "rb") as file:
            old = file.read(len(_OLD_START)) == _OLD_START
        state = _read_old(path) if old else _read_zip(path)
    except _RefusedError as error:
        raise UserError(
            f"{path}: refused, its pickle wants {error}, which no weights need. Do "
            "not open this file with other programs; get a model.safetensors instead"
        ) from error
    except zipfile.BadZipFile as error:
        raise UserError(
            f"{path}: damaged, or not saved by torch.save ({error}); copy it again, or "
            "get a model.safetensors instead"
        ) from error
    # A damaged pickle fails in whatever way its bytes happen to ask for.
    except Exception as error:
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"{path}: cannot be read ({type(error).__name__}: {error}); copy it again"
        ) from error
    if not isinstance(state, dict):
        raise UserError(f"{path}: holds a {type(state).__name__}, no named tensors")
    return {
        name: value
        for name, value in dict.items(state)
        if isinstance(name, str) and isinstance(value, np.ndarray)
    }


class _RefusedError(Exception):
    """What the pickle asked for."""


class _Reader(pickle._Unpickler):
    """Unpickles tensors alone; the one in Python, whose memo a pickle cannot blow up.

    Args:
      file: the pickle.
      order: byte order of the raw numbers.
      numbers: (key, type, count) -> the numbers of a storage; called once a key.
    """

    def __init__(self, file: io.BytesIO, order: Order, numbers: Numbers):
        super().__init__(file)
        self._order, self._numbers = order, numbers
        self.storages: dict[str, np.ndarray] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return _Named
        if module == "torch._utils" and name == "_rebuild_tensor_v2":
            return _REBUILD_TENSOR
        if module == "torch._utils" and name == "_rebuild_parameter":
            return _REBUILD_PARAMETER
        if module == "torch" and name in _STORAGES:
            return _Storage(name)
        raise _RefusedError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> np.ndarray:
        kind, storage, key, _, count, *view = pid
        if kind != "storage" or not isinstance(storage, _Storage) or any(view):
            raise _RefusedError(f"the object {kind!r}")
        if key not in self.storages:
            dtype = np.dtype(_STORAGES[storage]).newbyteorder(self._order)
            self.storages[key] = self._numbers(key, dtype, count)
        return self.storages[key]


def _read_zip(path: Path) -> Any:
    """Reads the pickle of an archive, and the entry of each storage that it names."""
    with zipfile.ZipFile(path) as archive:
        found = [n for n in archive.namelist() if n.endswith("/data.pkl")]
        if len(found) != 1:
            raise UserError(f"{path}: holds no data.pkl; not saved by torch.save")
        # torch.save compresses nothing: no entry is larger than it is in the file.
        size = sum(entry.file_size for entry in archive.infolist())
        if size > path.stat().st_size:
            raise UserError(
                f"{path}: refused, its {path.stat().st_size:,} bytes would become "
                f"{size:,} in memory; torch.save compresses nothing"
            )
        root = found[0].removesuffix("data.pkl")
        order = root + "byteorder"
        big = order in archive.namelist() and archive.read(order).strip() == b"big"

        def numbers(key: str, dtype: np.dtype, count: int) -> np.ndarray:
            entry = archive.getinfo(f"{root}data/{key}")
            if entry.file_size != count * dtype.itemsize:
                raise ValueError(
                    f"storage {key} has {entry.file_size} bytes, not {count} {dtype}"
                )
            return np.frombuffer(archive.read(entry), dtype)

        file = io.BytesIO(archive.read(found[0]))
        return _Reader(file, ">" if big else "<", numbers).load()


def _read_old(path: Path) -> Any:
    """Reads magic number, version, facts of the machine, tensors, keys, raw numbers.

    So the published weights of EfficientNet-Lite0 lie in their file.
    """
    file = io.BytesIO(path.read_bytes())
    left = len(file.getbuffer())

    def numbers(key: str, dtype: np.dtype, count: int) -> np.ndarray:
        # Tensors are views that are filled later. No more is allocated than is there.
        nonlocal left
        left -= count * dtype.itemsize
        if count < 0 or left < 0:
            raise ValueError(f"storage {key} of {count} {dtype} exceeds the file")
        return np.zeros(count, dtype)

    file.seek(len(_OLD_START))
    _Reader(file, "<", numbers).load()
    facts = _Reader(file, "<", numbers).load()
    order: Order = "<" if dict(facts).get("little_endian", True) else ">"
    reader = _Reader(file, order, numbers)
    state = reader.load()
    for key in _Reader(file, "<", numbers).load():
        storage = reader.storages[key]
        count = int.from_bytes(file.read(8), "little" if order == "<" else "big")
        raw = file.read(storage.nbytes)
        if count != len(storage) or len(raw) != storage.nbytes:
            raise ValueError(f"storage {key} is cut short or of another size")
        storage[:] = np.frombuffer(raw, storage.dtype)
    return state


class _Storage(str):
    """Name of a storage class."""

    __slots__ = ()


class _Named(dict):
    """Stands for an OrderedDict; its attributes (versions of modules) are dropped."""

    def __setstate__(self, state: Any) -> None:
        pass


class _Rebuild:
    """A function that a pickle may call; unlike a function it cannot be changed."""

    __slots__ = ()


class _RebuildTensor(_Rebuild):
    __slots__ = ()

    def __call__(self, storage, offset, size, stride, *_) -> np.ndarray:
        numbers = (offset, *size, *stride)
        if len(size) != len(stride) or any(
            type(n) is not int or n < 0 for n in numbers
        ):
            raise ValueError(f"a tensor of shape {size}, strides {stride} at {offset}")
        count = math.prod(size)
        last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
        if count > storage.size or (count and last >= storage.size):
            raise ValueError(f"a tensor of shape {size} exceeds its storage")
        if not count:
            return np.zeros(size, storage.dtype)
        steps = [step * storage.itemsize for step in stride]
        return np.lib.stride_tricks.as_strided(
            storage[offset:], size, steps, writeable=False
        )


class _RebuildParameter(_Rebuild):
    __slots__ = ()

    def __call__(self, tensor, *_) -> np.ndarray:
        return tensor


_REBUILD_TENSOR = _RebuildTensor()
_REBUILD_PARAMETER = _RebuildParameter()
