"""Pins and products of a Parquet file that may never have been met."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from recjax.data.catalog.entities import Entities, Vectors
from recjax.data.catalog.entity_features import EntityFeatures, VectorColumn
from recjax.data.catalog.entity_text import FieldText
from recjax.data.column_reader import INDEX
from recjax.data.dataset import NewItems
from recjax.errors import UserError
from recjax.tables.old.check import known_columns
from recjax.tables.old.entity_file import Block, check_entities
from recjax.tables.old.entity_schema import ENTITY
from recjax.tables.report import Findings
from recjax.text.column import Texts, offsets_of, pack
from recjax.text.vocabulary import Vocabulary

log = logging.getLogger(__name__)
KIND = "entities"
VOCABULARY = "text.vocabulary.jsonl"


@dataclass(frozen=True)
class EntityReader:
    """Makes the features of a catalogue's tower; what a file lacks is missing.

    Attributes:
      features: how entities become features.
    """

    features: EntityFeatures

    def read(
        self, path: Path, columns: Mapping[str, str], encoding: str
    ) -> Iterator[NewItems]:
        """Yields the entities of a file block by block; see `ItemReader`.

        Raises:
          UserError: the file cannot be used, or a row of it is bad.
        """
        del encoding  # Parquet is UTF-8.
        findings, columns = Findings(), known_columns(columns, ENTITY)
        file = check_entities(path, columns, findings)
        report = findings.report()
        if file is None or not report.ok:
            raise UserError(str(report))
        lacking = [name for name in self.wanted if name not in file.names]
        if lacking:
            log.info("%s has no %s: missing for all", path, ", ".join(lacking))
        for block in file.blocks():
            entities = _entities(block)
            yield NewItems(tuple(entities.ids), self.features.read(entities))

    @property
    def wanted(self) -> list[str]:
        """Names of the columns that features are made from."""
        text = self.features.text
        return [*(text.fields if text else ()), *self.features.vectors]

    def save(self, folder: Path) -> None:
        """Writes the reader to a folder."""
        text = self.features.text
        vectors = {name: asdict(v) for name, v in self.features.vectors.items()}
        about = {"kind": KIND, "vectors": vectors, "text": None}
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
        return cls(EntityFeatures(text, vectors))


def _entities(block: Block) -> Entities:
    texts = {
        n: Texts(data, offsets_of(size)) for n, (data, size) in block.texts.items()
    }
    dense = {
        n: Vectors(rows, offsets_of(size)) for n, (rows, size) in block.dense.items()
    }
    return Entities(pack(block.ids), texts, dense)
