"""Items whose features are made from the columns of a user's table."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from recjax.data import inputs as raw_inputs
from recjax.data.dataset import Corpus, CorpusColumn, NewItems
from recjax.data.fitted import Fitted, joined
from recjax.data.inputs import Input, encode_all, encode_column
from recjax.data.new_items import read_items
from recjax.data.prepared import as_texts
from recjax.tables.columns import Column
from recjax.tables.result import Options
from recjax.tables.typed import Table

log = logging.getLogger(__name__)
KIND = "columns"
INDEX, INPUTS = "reader.json", "reader_inputs.json"


@dataclass(frozen=True)
class ColumnReader:
    """Makes the features of items from the columns of their table.

    Attributes:
      entity: name of the kind of item, which its file's ids may stand under.
      schema: the columns of the file, besides `id`.
      sources: feature -> its columns; of several columns the texts are joined, those
        that are not empty.
      inputs: feature -> how it is made.
    """

    entity: str
    schema: tuple[Column, ...]
    sources: Mapping[str, tuple[str, ...]]
    inputs: Mapping[str, Input]

    def encode(self, table: Table) -> dict[str, CorpusColumn]:
        """Returns the features of a table's rows; a column left out is missing."""
        features = {}
        for name, kind in self.inputs.items():
            columns = [table[c] for c in self.sources[name] if c in table]
            if not columns:
                features[name] = encode_all({name: kind}, {}, table.rows)[name]
            elif len(columns) == 1:
                features[name] = encode_column(kind, columns[0])
            else:
                rows = zip(*map(as_texts, columns), strict=True)
                texts = [" ".join(part for part in row if part) for row in rows]
                features[name] = encode_all({"": kind}, {"": texts}, len(texts))[""]
        return features

    def read(self, path: Path, options: Options) -> Iterator[NewItems]:
        """Yields the items of a table at once; see `ItemReader`.

        Raises:
          UserError: the file cannot be used, or a row of it is bad.
        """
        table = read_items(path, self.entity, self.schema, options)
        lacking = [column.name for column in self.schema if column.name not in table]
        if lacking:
            log.info("%s has no %s: missing for all", path, ", ".join(lacking))
        yield NewItems(tuple(table["id"].vocabulary), self.encode(table))

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


def corpus(
    entity: str,
    titles: tuple[str, ...],
    own: Mapping[str, Input],
    sources: Mapping[str, tuple[str, ...]],
    fitted: Fitted,
) -> Corpus:
    """Returns all items of a table, with features of their own and of columns.

    Args:
      entity: name of the table.
      titles: what to show a person [N].
      own: feature -> how it is made.
      sources: such a feature -> its columns.
      fitted: the table, and the columns that the experiment names.

    Raises:
      UserError: two features have one name.
    """
    inputs, table = joined(own, fitted), fitted.table
    sources = {n: (kind.column,) for n, kind in fitted.inputs.items()} | {**sources}
    names = sorted({one for columns in sources.values() for one in columns} - {"id"})
    kinds = {name: column.type for name, column in table.columns.items()}
    # A file of items has titles where the data has some, and may lack what else it
    # knows. Of an item without one nothing is known, unless there are such columns.
    titled = {"title"} if any(titles) else set()
    alone = not fitted.inputs
    schema = [
        Column(n, kinds.get(n, "text"), n in titled, n in titled and alone)
        for n in names
    ]
    reader = ColumnReader(entity, tuple(schema), sources, inputs)
    ids, features = tuple(table["id"].vocabulary), reader.encode(table)
    return Corpus(ids, titles, features, reader=reader, table=table)
