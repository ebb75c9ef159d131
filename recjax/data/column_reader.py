"""Items whose features are made from columns of text of a user's table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from recjax.data import inputs as raw_inputs
from recjax.data.dataset import NewItems
from recjax.data.inputs import IdListInput, Input
from recjax.data.new_items import read_items
from recjax.data.prepared import as_texts
from recjax.tables.columns import Column
from recjax.tables.result import Options

KIND = "columns"
INDEX, INPUTS = "reader.json", "reader_inputs.json"
TITLE = Column("title", "text")
TAGS = Column("tags", "text", required=False, filled=False)


@dataclass(frozen=True)
class ColumnReader:
    """Makes a feature of one or several columns of text.

    Attributes:
      entity: name of the kind of item, which its file's ids may stand under.
      schema: the columns of the file, besides `id`.
      sources: feature -> columns whose texts are joined, those that are not empty.
      inputs: feature -> how it is made from that text.
    """

    entity: str
    schema: tuple[Column, ...]
    sources: Mapping[str, tuple[str, ...]]
    inputs: Mapping[str, Input]

    def encode(
        self, raw: Mapping[str, Sequence[str]], count: int
    ) -> dict[str, np.ndarray]:
        """Returns the feature arrays of `count` items.

        Args:
          raw: column -> one text an item; a column left out is empty.
          count: number of items.
        """
        features = {}
        for name, kind in self.inputs.items():
            columns = [raw[c] for c in self.sources[name] if c in raw]
            rows = zip(*columns, strict=True) if columns else [()] * count
            texts = [" ".join(part for part in row if part) for row in rows]
            given = texts
            if isinstance(kind, IdListInput):
                given = [[text] if text else [] for text in texts]
            features[name] = kind.encode(given)
        return features

    def read(self, path: Path, options: Options) -> Iterator[NewItems]:
        """Yields the items of a table at once; see `ItemReader`.

        Raises:
          UserError: the file cannot be used, or a row of it is bad.
        """
        table = read_items(path, self.entity, self.schema, options)
        raw = {name: tuple(as_texts(column)) for name, column in table.columns.items()}
        yield NewItems(raw["id"], self.encode(raw, table.rows))

    def save(self, folder: Path) -> None:
        """Writes the reader to a folder."""
        about = {
            "kind": KIND,
            "entity": self.entity,
            "schema": [asdict(column) for column in self.schema],
            "sources": dict(self.sources),
        }
        (folder / INDEX).write_text(json.dumps(about, indent=2) + "\n")
        raw_inputs.save(folder, self.inputs, INPUTS)

    @classmethod
    def load(cls, folder: Path, about: Mapping, item_ids: tuple[str, ...]):
        """Reads what `save` wrote.

        Args:
          folder: the folder.
          about: its index.
          item_ids: the corpus's own ids in index order.
        """
        return cls(
            about["entity"],
            tuple(Column(**column) for column in about["schema"]),
            {name: tuple(columns) for name, columns in about["sources"].items()},
            raw_inputs.load(folder, item_ids, INPUTS),
        )
