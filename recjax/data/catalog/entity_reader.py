"""Entities of a table that may never have been met."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from recjax.data.catalog.entity_features import EntityFeatures, VectorColumn
from recjax.data.catalog.entity_text import FieldText
from recjax.data.catalog.read import entities_of
from recjax.data.column_reader import INDEX
from recjax.data.dataset import NewItems
from recjax.data.new_items import read_items
from recjax.tables.columns import Column
from recjax.tables.result import Options
from recjax.text.vocabulary import Vocabulary

log = logging.getLogger(__name__)
KIND = "entities"
VOCABULARY = "text.vocabulary.jsonl"


@dataclass(frozen=True)
class EntityReader:
    """Makes the features of a catalogue's tower; what a file lacks is missing.

    Attributes:
      entity: name of the kind, which its file's ids may stand under.
      features: how entities become features.
    """

    entity: str
    features: EntityFeatures

    def read(self, path: Path, options: Options) -> Iterator[NewItems]:
        """Yields the entities of a table at once; see `ItemReader`.

        Raises:
          UserError: the file cannot be used, or a row of it is bad.
        """
        table = read_items(path, self.entity, self.schema, options)
        lacking = [column.name for column in self.schema if column.name not in table]
        if lacking:
            log.info("%s has no %s: missing for all", path, ", ".join(lacking))
        entities = entities_of(table)
        yield NewItems(tuple(entities.ids), self.features.read(entities))

    @property
    def schema(self) -> tuple[Column, ...]:
        """The columns that features are made from."""
        text = self.features.text
        return (
            *(Column(n, "text", False, False) for n in (text.fields if text else ())),
            *(
                Column(name, "bits" if column.bits else "vector", False, False)
                for name, column in self.features.vectors.items()
            ),
        )

    def save(self, folder: Path) -> None:
        """Writes the reader to a folder."""
        text = self.features.text
        vectors = {name: asdict(v) for name, v in self.features.vectors.items()}
        about = {"kind": KIND, "entity": self.entity, "vectors": vectors, "text": None}
        if text is not None:
            about["text"] = {
                "fields": text.fields,
                "field_length": text.field_length,
                "length": text.length,
            }
            text.vocabulary.save(folder / VOCABULARY)
        (folder / INDEX).write_text(json.dumps(about, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path, about: Mapping) -> EntityReader:
        """Reads what `save` wrote."""
        text = None
        if about["text"] is not None:
            vocabulary = Vocabulary.load(folder / VOCABULARY)
            told = {**about["text"], "fields": tuple(about["text"]["fields"])}
            text = FieldText(vocabulary, **told)
        vectors = {name: VectorColumn(**v) for name, v in about["vectors"].items()}
        return cls(about["entity"], EntityFeatures(text, vectors))
