"""The text fields of entities as ids of one vocabulary, with the field of each id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recjax.data.ragged import Ragged
from recjax.features import field_of
from recjax.text.column import Texts, offsets_of
from recjax.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class FieldText:
    """How the texts of an entity become one row of ids.

    Attributes:
      vocabulary: of the n-grams of all fields.
      fields: names of the fields; their order is the number of each.
      field_length: most ids of one field.
      length: most ids of an entity; later fields are cut first.
    """

    vocabulary: Vocabulary
    fields: tuple[str, ...]
    field_length: int
    length: int

    def encode(self, texts: Mapping[str, Sequence[str] | Texts], count: int) -> dict:
        """Returns the ids i32[N, length] and their fields u8[N, length], padded lazily.

        Args:
          texts: field -> one text an entity; a field left out is empty.
          count: number of entities `N`.
        """
        ids, fields, lengths = [], [], np.zeros(count, np.int64)
        known = [
            (n, texts[name]) for n, name in enumerate(self.fields) if name in texts
        ]
        for i in range(count):
            for number, column in known:
                text = column[i]
                if not text:
                    continue
                found = self.vocabulary.encode(text)[: self.field_length]
                ids.append(found)
                fields.append(np.full(len(found), number, np.uint8))
                lengths[i] += len(found)
        offsets = offsets_of(lengths)
        flat = np.concatenate([np.zeros(0, np.int32), *ids]).astype(np.int32)
        numbers = np.concatenate([np.zeros(0, np.uint8), *fields])
        return {
            "text": Ragged(flat, offsets, self.length),
            field_of("text"): Ragged(numbers, offsets, self.length),
        }


def all_texts(columns: Mapping[str, Texts], fields: Sequence[str]) -> Iterator[str]:
    """Yields every text of some fields that is not empty."""
    for name in fields:
        if name in columns:
            yield from (text for text in columns[name] if text)
