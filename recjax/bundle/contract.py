"""What a bundle can be asked by name: raw rows in, named columns out.

The signatures, their inputs and outputs are those of the SavedModel of the same bundle,
so that a client may ask either. Types are TensorFlow's names, of which nothing else is
needed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recjax.data.column_inputs import CategoryInput, TimeInput, VectorInput
from recjax.data.image_input import ImageInput
from recjax.data.inputs import AgeListInput, IdListInput, Input
from recjax.errors import UserError
from recjax.text.features import TextInput
from recjax.text.wordpiece import WordPiece

SERVING, EMBED, ITEM = "serving_default", "embed", "embed_item"
IMAGE_BYTES = "image_bytes"
TEXT, INT, FLOAT = "DT_STRING", "DT_INT32", "DT_FLOAT"
MANY = -1
"""Size of a dimension that may be any."""
NO_SCORE = float(np.finfo(np.float32).min)
"""Score of a place without a result, whose id is ""."""

Columns = Mapping[str, Any]
"""Name -> a sequence or an array of one value a row."""
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Spec:
    """A tensor: its type, and its shape with the rows first.

    Attributes:
      dtype: such as "DT_STRING".
      shape: `MANY` where any size is taken.
      missing: a row may lack it.
      file: a value is the bytes of a file.
    """

    dtype: str
    shape: tuple[int, ...] = (MANY,)
    missing: bool = False
    file: bool = False


FOUND = {"ids": Spec(TEXT, (MANY, MANY)), "scores": Spec(FLOAT, (MANY, MANY))}
"""What signatures give that find items."""


@dataclass(frozen=True)
class Signature:
    """One question that a bundle answers, in the steps that a server needs apart.

    Attributes:
      inputs: name -> what it takes.
      outputs: name -> what it gives.
      read: returns the columns of one request as `encode` takes them; raises
        `UserError` where they say nothing, or not what they should.
      encode: (columns, rows) -> arrays [rows, ...].
      call: arrays -> array or arrays [rows, ...]; compiled for each number of rows.
      finish: (what `call` gave, columns) -> columns.
      slow: `read` takes milliseconds, as it does of photographs.
      blank: columns of one row that asks for nothing, as `encode` takes them.
      texts: columns in which case and more spaces than one say nothing.
      asked: columns of one row as a request gives them, where `read` or `encode` are
        slow at first.
      kept: rows are asked for again, so that it pays to keep their answers.
      narrowed: the same under conditions on what is found, see `bundle.narrowed`; None
        where nothing is found.
    """

    inputs: Mapping[str, Spec]
    outputs: Mapping[str, Spec]
    read: Callable[[Columns], Columns]
    encode: Callable[[Columns, int], Arrays]
    call: Callable[[Arrays], Any]
    finish: Callable[[Any, Columns], Columns]
    slow: bool = False
    blank: Columns = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    kept: bool = False
    asked: Columns = field(default_factory=dict)
    narrowed: Signature | None = None

    def ask(self, columns: Columns) -> Columns:
        """Returns the answer to some rows, as a server gives it.

        Raises:
          UserError: they say nothing, or not what they should.
        """
        read = self.read(columns)
        rows = len(next(iter(read.values())))
        return self.finish(self.call(self.encode(read, rows)), read)


def input_spec(kind: Input) -> Spec:
    """Returns what raw values of an input are.

    Text: string[B], a list of them string[B, any], "" for missing; ages f32[B, any]; a
    number float32[B] and a moment float64[B], NaN for missing; vectors float32[B, any,
    D], NaN for none; bits int32[B, any, bytes], -1 for none; photographs string[B], the
    bytes of their files, "" for none.
    """
    if isinstance(kind, TextInput | WordPiece):
        return Spec(TEXT, missing=True)
    if isinstance(kind, ImageInput):
        return Spec(TEXT, missing=True, file=True)
    if isinstance(kind, CategoryInput):
        return Spec(TEXT, (MANY, MANY) if kind.many else (MANY,), True)
    if isinstance(kind, IdListInput):
        return Spec(TEXT, (MANY, MANY), True)
    if isinstance(kind, AgeListInput):
        return Spec(FLOAT, (MANY, MANY), True)
    if isinstance(kind, TimeInput):
        return Spec("DT_DOUBLE", missing=True)
    if isinstance(kind, VectorInput):
        return Spec(INT if kind.bits else FLOAT, (MANY, MANY, kind.width), True)
    return Spec(FLOAT, missing=True)


def tensor_spec(tf: Any, spec: Spec) -> Any:
    """Returns TensorFlow's form of a spec."""
    shape = [None if size == MANY else size for size in spec.shape]
    return tf.TensorSpec(shape, tf.as_dtype(spec.dtype.removeprefix("DT_").lower()))


def padded(arrays: Arrays, rows: int) -> dict[str, np.ndarray]:
    """Returns arrays with zeros behind, so that they have some number of rows."""
    return {name: _padded(array, rows) for name, array in arrays.items()}


def _padded(array: np.ndarray, rows: int) -> np.ndarray:
    if len(array) == rows:
        return array
    out = np.zeros((rows, *array.shape[1:]), array.dtype)
    out[: len(array)] = array
    return out


def check_k(values: Sequence[int], most: int) -> None:
    """Checks the numbers of results that rows ask for.

    Raises:
      UserError: one is not in 1..most.
    """
    for row, k in enumerate(values):
        if not 1 <= k <= most:
            raise UserError(f"k, row {row}: {k}; ask for 1..{most} results")
