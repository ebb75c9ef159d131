"""How entities become features: the same at training and at serving."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recjax.data.catalog.entities import Entities
from recjax.data.catalog.entity_text import FieldText, all_texts
from recjax.data.ragged import VectorLists
from recjax.errors import UserError
from recjax.features import DenseFeature, Feature, IdFeature, present
from recjax.text.features import NGrams


@dataclass(frozen=True)
class VectorColumn:
    """A dense feature of entities.

    Attributes:
      width: numbers of a vector, or bytes.
      most: vectors of an entity that are read.
      bits: whether the features are the bits of the bytes.
    """

    width: int
    most: int
    bits: bool = False


@dataclass(frozen=True)
class EntityFeatures:
    """How entities become features.

    Attributes:
      text: how their texts are read; None for not at all.
      vectors: name -> dense feature that is read.
      start: starting importance of each id of the texts.
    """

    text: FieldText | None
    vectors: Mapping[str, VectorColumn]
    start: np.ndarray | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        tables: Mapping[str, Entities],
        vectors: Mapping[str, VectorColumn],
        ngrams: NGrams,
        fields: tuple[str, ...],
        lengths: tuple[int, int],
    ) -> EntityFeatures:
        """Returns how some tables are read, with a vocabulary of all their texts.

        Args:
          tables: kind -> entities.
          vectors: name -> dense feature that is read.
          ngrams: the vocabulary.
          fields: text fields that are read; () for none.
          lengths: n-grams of a field, and of an entity.
        """
        if not fields:
            return cls(None, vectors)
        columns = [entities.texts for entities in tables.values()]
        texts = (text for one in columns for text in all_texts(one, fields))
        vocabulary = ngrams.build(texts)
        text = FieldText(vocabulary, fields, *lengths)
        return cls(text, vectors, ngrams.importance(vocabulary))

    def read(self, entities: Entities) -> dict[str, Any]:
        """Returns name -> array-like [N, ...] of all entities, read where asked."""
        features: dict[str, Any] = {}
        if self.text is not None:
            features |= self.text.encode(entities.texts, len(entities))
        for name, column in self.vectors.items():
            dtype = np.dtype(np.uint8 if column.bits else np.float32)
            vectors = entities.vectors(name, column.width, dtype)
            if (vectors.width, vectors.values.dtype) != (column.width, dtype):
                raise UserError(
                    f"{name!r} has {vectors.width} {vectors.values.dtype} an entity, "
                    f"{column.width} {dtype} are wanted"
                )
            features[name] = VectorLists(vectors, column.most)
            features[present(name)] = VectorLists(vectors, column.most, there=True)
        return features

    def side(self) -> dict[str, Feature]:
        """Returns what a model must know of these features."""
        side: dict[str, Feature] = {}
        if self.text is not None:
            known, length = self.text.vocabulary, self.text.length
            names = known.names
            side["text"] = IdFeature(known.size, length, self.start, names=names)
        for name, column in self.vectors.items():
            side[name] = DenseFeature(column.width * (8 if column.bits else 1))
        return side


def vector_columns(
    tables: Mapping[str, Entities], names: tuple[str, ...], images: int
) -> dict[str, VectorColumn]:
    """Returns name -> dense feature, the same for every kind of entity.

    Args:
      tables: kind -> entities; none where queries alone are asked for.
      names: of the features.
      images: most vectors of an entity that are read.

    Raises:
      UserError: nobody has such a feature, or not all in one width.
    """
    found = {}
    for name in names if tables else ():
        held = {k: e.dense[name] for k, e in tables.items() if name in e.dense}
        widths = {kind: vectors.width for kind, vectors in held.items()}
        if len(set(widths.values())) != 1:
            raise UserError(
                f"data.dense: {name!r} must have one width for all, it has "
                f"{widths or 'none: no table has this column'}"
            )
        most = max(int(np.diff(v.offsets).max(initial=1)) for v in held.values())
        width = next(iter(widths.values()))
        bits = {vectors.values.dtype.kind for vectors in held.values()} == {"u"}
        found[name] = VectorColumn(width, min(max(most, 1), images), bits)
    return found
