"""Item vectors in fewer bits: bfloat16, or int8 with one scale a dimension.

vectors.npy   int16 [N, D], the bits of bfloat16; or int8 [N, D]
vectors.json  {"type": "bfloat16"}, or {"type": "int8", "scale": [D numbers]}

ScaNN stores its own in the same way, so that it reads the same file and gives the same
scores.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import ml_dtypes
import numpy as np

from recjax.index.exact import finite_matrix, largest

NAME = "vectors.json"
Type = Literal["float32", "bfloat16", "int8"]


@dataclass(frozen=True)
class Compact:
    """Vectors [N, D] that become float32 where they are read, by index or as an array.

    Attributes:
      codes: bfloat16 or int8 [N, D].
      scale: what they are multiplied with, float32 [D].
    """

    codes: np.ndarray
    scale: np.ndarray
    ndim = 2
    dtype = np.dtype(np.float32)

    @property
    def shape(self) -> tuple[int, int]:
        """N and D."""
        rows, width = self.codes.shape
        return rows, width

    @property
    def type(self) -> str:
        """The name of the type, as `compact` takes it."""
        return self.codes.dtype.name

    @property
    def stored(self) -> np.ndarray:
        """What vectors.npy holds."""
        return self.codes if self.type == "int8" else self.codes.view(np.int16)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> np.ndarray:
        found = self.codes[rows].astype(np.float32)
        return found if self.type == "bfloat16" else found * self.scale

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)

    def about(self) -> str:
        """Returns what vectors.json holds."""
        scale = {"scale": self.scale.tolist()} if self.type == "int8" else {}
        return json.dumps({"type": self.type, **scale}) + "\n"


Vectors = np.ndarray | Compact


def compact(vectors: np.ndarray, type: Type) -> Vectors:
    """Returns finite vectors f32[N, D] in another type.

    int8 counts from -127 to 127 by the largest number of each dimension; bfloat16 is
    rounded to the nearest.
    """
    vectors = finite_matrix("vectors", vectors).astype(np.float32)
    ones = np.ones(vectors.shape[1], np.float32)
    if type == "float32":
        return vectors
    if type == "bfloat16":
        return Compact(vectors.astype(ml_dtypes.bfloat16), ones)
    most = np.abs(vectors).max(0, initial=0)
    scale = np.where(most > 0, most / np.float32(127), ones).astype(np.float32)
    return Compact(np.rint(vectors / scale).astype(np.int8), scale)


def loss(vectors: np.ndarray, stored: Vectors, queries: np.ndarray) -> dict[str, Any]:
    """Returns what a type costs: recall@10 and scores against those of float32."""
    if isinstance(stored, np.ndarray):
        return {}
    right, made = queries @ vectors.T, queries @ np.asarray(stored).T
    k = min(10, right.shape[1])
    lowest = largest(right, k)[1][:, -1:]
    found = np.take_along_axis(right, largest(made, k)[0], 1)
    recall = float((found >= lowest - 1e-6 * np.abs(lowest)).mean())
    return {
        "vectors": stored.type,
        "vectors_recall_at_10": round(recall, 4),
        "vectors_score_loss": float(np.abs(made - right).max()),
    }


def opened(folder: Path, stored: np.ndarray) -> Vectors:
    """Returns what a folder holds, whose vectors.npy is `stored`.

    Raises:
      ValueError: vectors.json does not fit.
    """
    path = folder / NAME
    if not path.exists():
        return stored
    told = json.loads(path.read_text())
    width = stored.shape[1]
    if (told["type"], stored.dtype) == ("bfloat16", np.int16):
        return Compact(stored.view(ml_dtypes.bfloat16), np.ones(width, np.float32))
    scale = np.asarray(told.get("scale", ()), np.float32)
    if (told["type"], stored.dtype, scale.shape) != ("int8", np.int8, (width,)):
        raise ValueError(f"{NAME} does not fit vectors.npy of {stored.dtype}")
    return Compact(stored, scale)


def in_memory(vectors: Vectors) -> Vectors:
    """Returns vectors that were mapped from disk, read."""
    if isinstance(vectors, Compact):
        return Compact(np.array(vectors.codes), vectors.scale)
    return np.array(vectors)
