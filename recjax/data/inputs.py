"""How query features are made from raw values: the same at training and at serving."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from recjax.data.column_inputs import (
    BucketInput,
    CategoryInput,
    ColumnInput,
    ColumnRows,
    NumberInput,
    TimeInput,
    VectorInput,
)
from recjax.data.image_input import ImageInput
from recjax.data.prepared import as_texts
from recjax.errors import UserError
from recjax.tables.typed import Table, TypedColumn
from recjax.text.features import TextInput
from recjax.text.vocabulary import Vocabulary
from recjax.text.wordpiece import WordPiece

INDEX = "inputs.json"


@dataclass(frozen=True)
class IdListInput:
    """A list of raw item ids per example, oldest first.

    Id `item_ids[i]` becomes i + 1. Padding ("") and unknown ids are dropped, then the
    last `length` ids are kept; they come first, zeros after them.

    Attributes:
      item_ids: the corpus's own ids in index order.
      length: most ids of one list.
    """

    item_ids: tuple[str, ...] = field(repr=False)
    length: int

    def __post_init__(self) -> None:
        """Checks the ids.

        Raises:
          UserError: an id is empty or listed twice.
        """
        check_ids(self.item_ids)

    def encode(self, lists: Sequence[Sequence[str]]) -> np.ndarray:
        """Returns padded ids, i32[B, length]."""
        encoded = np.zeros((len(lists), self.length), np.int32)
        for row, raw in zip(encoded, lists, strict=True):
            _fill(row, [at for id in raw if (at := self.positions.get(id))])
        return encoded

    @cached_property
    def positions(self) -> dict[str, int]:
        """Item id -> index + 1."""
        return {item: position for position, item in enumerate(self.item_ids, 1)}


@dataclass(frozen=True)
class AgeListInput:
    """Seconds since each id of an id list, in the same order; a missing list is zeros.

    Attributes:
      of: name of the id list's feature.
      ids: how that list is made: what it drops, drops its age.
    """

    of: str
    ids: IdListInput = field(repr=False)

    @property
    def length(self) -> int:
        """Most ages of one list."""
        return self.ids.length

    def encode(
        self, ages: Sequence[Sequence[float]], lists: Sequence[Sequence[str]]
    ) -> np.ndarray:
        """Returns ages, f32[B, length]."""
        encoded = np.zeros((len(lists), self.length), np.float32)
        for row, raw, ids in zip(encoded, ages, lists, strict=True):
            if len(raw) and len(raw) != len(ids):
                raise UserError(
                    f"{len(raw)} ages of {len(ids)} {self.of} ids: give one each"
                )
            pairs = zip(raw, ids, strict=True) if len(raw) else ()
            _fill(row, [age for age, id in pairs if id in self.ids.positions])
        return encoded


def _fill(row: np.ndarray, values: list) -> None:
    """Writes the last values that a row has room for to its start."""
    values = values[-len(row) :]
    row[: len(values)] = values


Input = TextInput | WordPiece | IdListInput | AgeListInput | ColumnInput
SAVED = {
    "category": CategoryInput,
    "number": NumberInput,
    "bucket": BucketInput,
    "time": TimeInput,
    "vector": VectorInput,
    "image": ImageInput,
}
"""Kinds of columns whose settings are all that there is to save, by name."""


def encode_all(
    inputs: Mapping[str, Input], raw: Mapping[str, Sequence[Any]], count: int
) -> dict[str, np.ndarray]:
    """Returns the feature arrays of raw queries.

    Args:
      inputs: how each feature is made.
      raw: column (see `source`) -> one raw value a query; one left out is missing.
      count: number of queries.
    """
    features = {}
    for name, kind in inputs.items():
        values = raw.get(source(name, inputs), [None] * count)
        if isinstance(kind, AgeListInput):
            lists = raw.get(kind.of, [[]] * count)
            features[name] = kind.encode([v or [] for v in values], lists)
        elif isinstance(kind, TextInput | WordPiece):
            features[name] = kind.encode([v or "" for v in values])
        elif isinstance(kind, IdListInput):
            features[name] = kind.encode([[] if v is None else v for v in values])
        else:
            features[name] = kind.encode(values)
    return features


def blanked(
    arrays: Mapping[str, np.ndarray], inputs: Mapping[str, Input], rows: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns features [B, L] in which nothing is known of some queries, bool[B]."""
    blank = encode_all({name: inputs[name] for name in arrays}, {}, 1)
    return {
        n: np.where(rows.reshape(-1, *[1] * (array.ndim - 1)), blank[n], array)
        for n, array in arrays.items()
    }


def encode_column(kind: Input, column: TypedColumn) -> Any:
    """Returns the features of a typed column, an array [n, ...] or what reads as one.

    What needs no look at labels or texts is made where it is asked for.
    """
    if isinstance(kind, TextInput | WordPiece):
        return kind.encode(tuple(as_texts(column)))
    if isinstance(kind, IdListInput):
        return kind.encode([[id] if id else [] for id in as_texts(column)])
    if isinstance(kind, AgeListInput):
        raise ValueError(f"no column holds the ages of {kind.of!r}")
    if isinstance(kind, CategoryInput):
        return kind.encode_column(column)
    return ColumnRows(kind, column)


def encode_table(inputs: Mapping[str, Input], table: Table) -> dict[str, Any]:
    """Returns the features of a table's rows; a column that it lacks is missing."""
    found = {}
    for name, kind in inputs.items():
        column = source(name, inputs)
        if column in table:
            found[name] = encode_column(kind, table[column])
        else:
            found[name] = encode_all({name: kind}, {}, table.rows)[name]
    return found


def check_ids(item_ids: Sequence[str]) -> None:
    """Checks that item ids can name items.

    Raises:
      UserError: an id is empty or listed twice.
    """
    seen = set()
    for row, id in enumerate(item_ids):
        if not id or id in seen:
            fault = "listed twice" if id else "empty, which means padding"
            raise UserError(f"item id {row} ({id!r}) is {fault}; give each its own")
        seen.add(id)


def source(name: str, inputs: Mapping[str, Input]) -> str:
    """Returns the column whose raw values an input reads: its own name, or another."""
    return getattr(inputs[name], "column", "") or name


def save(folder: Path, inputs: Mapping[str, Input], index: str = INDEX) -> None:
    """Writes inputs to a folder; lists of item ids are left to the corpus.

    Vocabularies are named by their content, so that inputs share them.

    Args:
      folder: the folder, which may hold other inputs.
      inputs: by name.
      index: name of the file that describes them.
    """
    about: dict[str, dict[str, Any]] = {}
    kinds = {kind: name for name, kind in SAVED.items()}
    for name, kind in inputs.items():
        if type(kind) in kinds:
            about[name] = {"kind": kinds[type(kind)], **asdict(kind)}
            continue
        about[name] = {"kind": "ids", "length": kind.length}
        if isinstance(kind, TextInput):
            file = _named_by_content(folder, kind.vocabulary.save)
            about[name] |= {"kind": "text", "file": file, "column": kind.column}
        elif isinstance(kind, WordPiece):
            file = _named_by_content(folder, kind.save)
            about[name] |= {"kind": "pieces", "file": file, "column": kind.column}
        elif isinstance(kind, AgeListInput):
            about[name] |= {"kind": "ages", "of": kind.of}
    (folder / index).write_text(json.dumps(about, indent=2) + "\n")


def _named_by_content(folder: Path, write: Callable[[Path], None]) -> str:
    part = folder / "part"
    write(part)
    name = f"vocabulary-{hashlib.sha256(part.read_bytes()).hexdigest()[:12]}"
    part.replace(folder / name)
    return name


def load(
    folder: Path, item_ids: tuple[str, ...], index: str = INDEX
) -> dict[str, Input]:
    """Reads what `save` wrote.

    Args:
      folder: the folder.
      item_ids: the corpus's own ids in index order.
      index: name of the file that describes them.

    Raises:
      UserError: a file is missing or broken.
    """
    path = folder / index
    inputs: dict[str, Input] = {}
    try:
        for name, about in json.loads(path.read_text()).items():
            inputs[name] = _loaded(folder, about, item_ids)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); export anew") from error
    return inputs


def _loaded(folder: Path, about: dict[str, Any], item_ids: tuple[str, ...]) -> Input:
    kind = about.pop("kind")
    if kind in SAVED:
        told = {n: tuple(v) if isinstance(v, list) else v for n, v in about.items()}
        return SAVED[kind](**told)
    length, column = about["length"], about.get("column", "")
    if kind == "text":
        return TextInput(Vocabulary.load(folder / about["file"]), length, column)
    if kind == "pieces":
        return replace(WordPiece.load(folder / about["file"], length), column=column)
    ids = IdListInput(item_ids, length)
    return AgeListInput(about["of"], ids) if kind == "ages" else ids
