"""How query features are made from raw values: the same at training and at serving."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from recjax.data.text.vocabulary import Vocabulary
from recjax.errors import UserError

_INDEX = "inputs.json"


@dataclass(frozen=True)
class TextInput:
    """A text per example, as the ids of its n-grams.

    Attributes:
      vocabulary: of the n-grams.
      length: most ids of one text.
    """

    vocabulary: Vocabulary = field(repr=False)
    length: int

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Returns padded ids, i32[B, length]."""
        return self.vocabulary.encode_padded(texts, self.length)


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
            known = [place for id in raw if (place := self.places.get(id))]
            known = known[-self.length :]
            row[: len(known)] = known
        return encoded

    @cached_property
    def places(self) -> dict[str, int]:
        """Item id -> index + 1."""
        return {item: place for place, item in enumerate(self.item_ids, 1)}


Input = TextInput | IdListInput


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


def save(folder: Path, inputs: Mapping[str, Input]) -> None:
    """Writes inputs to a folder; lists of item ids are left to the corpus."""
    index = {}
    for name, kind in inputs.items():
        text = isinstance(kind, TextInput)
        index[name] = {"kind": "text" if text else "ids", "length": kind.length}
        if text:
            kind.vocabulary.save(folder / f"{name}.vocabulary.jsonl")
    (folder / _INDEX).write_text(json.dumps(index, indent=2) + "\n")


def load(folder: Path, item_ids: tuple[str, ...]) -> dict[str, Input]:
    """Reads what `save` wrote.

    Args:
      folder: the folder.
      item_ids: the corpus's own ids in index order.

    Raises:
      UserError: a file is missing or broken.
    """
    path = folder / _INDEX
    inputs: dict[str, Input] = {}
    try:
        for name, about in json.loads(path.read_text()).items():
            if about["kind"] == "text":
                vocabulary = Vocabulary.load(folder / f"{name}.vocabulary.jsonl")
                inputs[name] = TextInput(vocabulary, about["length"])
            else:
                inputs[name] = IdListInput(item_ids, about["length"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); export anew") from error
    return inputs
