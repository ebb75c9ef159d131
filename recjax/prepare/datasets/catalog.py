"""A catalogue as a TFDS builder: records hold blocks of rows, column by column.

A record an entity would be decoded a million times at every start; a record of 1,024
entities is 1,000 times fewer and a few megabytes large. Records keep their order, so
the position of an entity or query is the index that pairs refer to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import tensorflow_datasets as tfds

from recjax.data.catalog.entities import Pairs
from recjax.data.interactions import index_of
from recjax.prepare.datasets.base import Builder
from recjax.prepare.validate_catalog import CheckedCatalog
from recjax.tables.old.entity_file import EntityFile
from recjax.tables.old.entity_schema import (
    CODES,
    CREATED,
    ENTITIES,
    TABLES,
    TEXT_FIELDS,
    TYPES,
)
from recjax.text.column import encode_texts

ROWS = 1_024
PAIRS_ROWS = 65_536


@dataclass(frozen=True)
class CatalogFiles:
    """A checked catalogue, ready to be written.

    Attributes:
      queries: distinct query texts.
      actions: distinct actions.
      pairs: the pairs by index.
      entities: "pin" and "product" -> the table, where there is one.
    """

    queries: pl.Series
    actions: tuple[str, ...]
    pairs: Pairs
    entities: Mapping[str, EntityFile]


def from_checked(checked: CheckedCatalog) -> CatalogFiles:
    """Indexes what was checked: queries in order of appearance, first as queries."""
    frame = checked.main
    type_ = frame["candidate_type"]
    wanted = frame["candidate_id"].filter(type_ == "query")
    queries = pl.concat([frame["query"], wanted.alias("query")]).unique(
        maintain_order=True
    )
    actions = frame["action"].unique(maintain_order=True)
    candidate = np.zeros(frame.height, np.int32)
    for kind in TYPES:
        own = (type_ == kind).to_numpy()
        if own.any():
            ids = queries if kind == "query" else checked.entities[kind].ids
            candidate[own] = index_of(frame["candidate_id"].filter(own), ids)
    timestamp = np.zeros(frame.height, np.int64)
    if "timestamp" in frame.columns:
        timestamp = frame["timestamp"].cast(pl.Int64).to_numpy()
    types = pl.Series(TYPES)
    pairs = Pairs(
        query=index_of(frame["query"], queries),
        candidate=candidate,
        candidate_type=index_of(type_, types).astype(np.uint8),
        action=index_of(frame["action"], actions).astype(np.uint8),
        timestamp=timestamp,
    )
    return CatalogFiles(queries, tuple(actions), pairs, checked.entities)


class CatalogBuilder(Builder):
    """Configs `pairs`, `queries`, `actions`, `pins` and `products`."""

    KIND = "catalog"
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name=n)
        for n in ("pairs", "queries", "actions", *TABLES.values())
    ]

    def tables(self) -> CatalogFiles:
        """Returns the data to write, from raw files."""
        raise NotImplementedError

    def features(self) -> dict[str, dict[str, Any]]:
        """Returns the features of a record for each config."""
        data, texts = self.tables(), {"texts": _text()}
        return {
            "pairs": {
                "query": _array(np.int32),
                "candidate": _array(np.int32),
                "candidate_type": _array(np.uint8),
                "action": _array(np.uint8),
                "timestamp": _array(np.int64),
            },
            "queries": texts,
            "actions": texts,
            **{TABLES[k]: _table(data.entities.get(k)) for k in ENTITIES},
        }

    def records(self) -> Iterator[dict[str, Any]]:
        """Yields the records of this builder's config."""
        data, config = self.tables(), self.builder_config.name
        if config == "pairs":
            for start in range(0, len(data.pairs.query), PAIRS_ROWS):
                part = slice(start, start + PAIRS_ROWS)
                yield {name: column[part] for name, column in vars(data.pairs).items()}
        elif config in ("queries", "actions"):
            texts = pl.Series(getattr(data, config), dtype=pl.String)
            for part in texts.to_frame().iter_slices(PAIRS_ROWS):
                yield {"texts": _encoded(encode_texts(part.to_series()))}
        else:
            kind = next(k for k in ENTITIES if TABLES[k] == config)
            yield from _entity_records(data.entities.get(kind))


class OwnCatalog(CatalogBuilder):
    """The user's own checked catalogue."""

    name = "own_catalog"

    def __init__(self, *, data: CatalogFiles, **kwargs: Any) -> None:
        """Takes the data; `kwargs` are those of a TFDS builder."""
        self._data = data
        super().__init__(**kwargs)

    def tables(self) -> CatalogFiles:
        """Returns the data."""
        return self._data


def _entity_records(file: EntityFile | None) -> Iterator[dict[str, Any]]:
    if file is None:
        # A config without any record cannot be opened.
        yield {"ids": _encoded(encode_texts([]))}
        return
    for block in file.blocks(ROWS):
        texts = {f"text.{k}": _encoded(v) for k, v in block.texts.items()}
        dense = {
            f"dense.{k}": {"values": values, "counts": counts}
            for k, (values, counts) in block.dense.items()
        }
        record = {"ids": _encoded(encode_texts(block.ids)), **texts, **dense}
        yield record if block.created is None else {**record, CREATED: block.created}


def _table(file: EntityFile | None) -> dict[str, Any]:
    columns = {"ids": _text()}
    if file is None:
        return columns
    for name in file.names:
        if name in TEXT_FIELDS:
            columns[f"text.{name}"] = _text()
    for name, width in file.widths.items():
        dtype = np.uint8 if name in CODES else np.float32
        columns[f"dense.{name}"] = {
            "values": _array(dtype, width),
            "counts": _array(np.int32),
        }
    if file.created is not None:
        columns[CREATED] = _array(np.int64)
    return columns


def _text() -> dict[str, tfds.features.Tensor]:
    return {"data": _array(np.uint8), "lengths": _array(np.int32)}


def _encoded(texts: tuple[np.ndarray, np.ndarray]) -> dict[str, np.ndarray]:
    return dict(zip(("data", "lengths"), texts, strict=True))


def _array(dtype: type, *widths: int) -> tfds.features.Tensor:
    encoding = tfds.features.Encoding.BYTES
    return tfds.features.Tensor(shape=(None, *widths), dtype=dtype, encoding=encoding)
