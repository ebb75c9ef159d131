"""Answers from a bundle, without TensorFlow: raw features -> items and scores."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle import jax_export, manifest
from recjax.bundle.towers import ITEM, NEW_ITEMS, QUERY, TOWERS
from recjax.data import inputs as raw_inputs
from recjax.data import item_readers
from recjax.data.dataset import Column, ItemReader, NewItems
from recjax.data.inputs import IdListInput, Input
from recjax.errors import UserError, nearest
from recjax.index import scann_index

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """One result.

    Attributes:
      id: the item's own id.
      title: what to show a person.
      score: dot product with the query.
    """

    id: str
    title: str
    score: float


@dataclass(frozen=True)
class Retriever:
    """An opened bundle.

    Attributes:
      ids: item ids [N].
      titles: item titles [N].
      vectors: item embeddings [N, D].
      index: finds neighbours of embeddings.
      inputs: how feature arrays of queries are made from raw values.
      towers: name -> feature arrays to embeddings: "query", and "item" for new items.
      reader: how a file of new items becomes feature arrays; None where the bundle
        embeds none.
    """

    ids: tuple[str, ...]
    titles: tuple[str, ...]
    vectors: np.ndarray
    index: scann_index.Index
    inputs: Mapping[str, Input]
    towers: Mapping[str, Any]
    reader: ItemReader | None = None

    @classmethod
    def open(cls, folder: Path, verify: bool = True) -> Retriever:
        """Opens a bundle.

        Args:
          folder: that `recjax export` wrote.
          verify: compare every file with the manifest first.

        Raises:
          UserError: it is no bundle, or a file is missing or damaged.
        """
        if verify:
            manifest.verify(folder)
        try:
            lines = (folder / "items.jsonl").read_text().splitlines()
            items = [json.loads(line) for line in lines]
            ids = tuple(item["id"] for item in items)
            titles = tuple(item["title"] for item in items)
            vectors = np.load(folder / "vectors.npy")
        except (OSError, ValueError, LookupError, TypeError, EOFError) as error:
            raise UserError(f"{folder} is no whole bundle: {error}") from error
        new = folder / NEW_ITEMS
        reader = item_readers.load(new, ids) if new.is_dir() else None
        return cls(
            ids,
            titles,
            vectors,
            scann_index.load(folder / "index"),
            raw_inputs.load(folder, ids),
            jax_export.load_all(folder / TOWERS),
            reader,
        )

    def embed(self, raw: Mapping[str, Sequence[Any]]) -> np.ndarray:
        """Embeds raw queries.

        Args:
          raw: feature -> one raw value a query; a feature left out is empty.

        Returns:
          f32[B, D].

        Raises:
          UserError: a feature that the bundle does not take, or none at all.
        """
        for name in raw:
            if name not in self.inputs:
                raise UserError(
                    f"the bundle takes {sorted(self.inputs)}, not {name!r}."
                    + nearest(name, self.inputs)
                )
        count = max(map(len, raw.values()), default=0)
        if count == 0:
            raise UserError("there is nothing to ask: give a text or a history")
        features = raw_inputs.encode_all(self.inputs, raw, count)
        return self.embed_features(QUERY, features)

    def embed_items(
        self,
        path: Path,
        rename: Mapping[str, str] | None = None,
        encoding: str = "utf-8",
    ) -> tuple[tuple[str, ...], np.ndarray]:
        """Embeds the items of a file, whether the bundle knows them or not.

        Args:
          path: CSV, TSV or Parquet file with the columns of the bundle's corpus.
          rename: the file's column name -> recjax's, where they differ.
          encoding: of a CSV file.

        Returns:
          Their ids, and f32[n, D] in the order of the file.

        Raises:
          UserError: the bundle embeds no new items, or the file has a problem.
        """
        if self.reader is None:
            raise UserError("this bundle embeds no new items: its data reads none")
        ids: list[str] = []
        vectors = []
        for part in self.reader.read(path, rename or {}, encoding):
            blank = _blank(part)
            if len(blank):
                log.warning(
                    "the bundle knows nothing of %d of %d items: %s ...",
                    len(blank),
                    len(part.ids),
                    part.ids[blank[0]],
                )
            vectors.append(self.embed_features(ITEM, part.features))
            ids += part.ids
        return tuple(ids), np.concatenate(vectors)

    def embed_features(
        self, tower: str, features: Mapping[str, Column], block: int = 1_024
    ) -> np.ndarray:
        """Embeds feature arrays, block by block in few compiled shapes, f32[N, D].

        Args:
          tower: "query" or "item".
          features: name -> [N, ...].
          block: rows at a time.
        """
        size, found = len(next(iter(features.values()))), []
        for start in range(0, size, block):
            stop = min(start + block, size)
            # Powers of two: few shapes are ever compiled.
            rows = min(block, 1 << (stop - start - 1).bit_length())
            part = {n: _padded(a[start:stop], rows) for n, a in features.items()}
            found.append(np.asarray(self.towers[tower](part))[: stop - start])
        return np.concatenate(found)

    def search(self, raw: Mapping[str, Sequence[Any]], k: int) -> list[list[Found]]:
        """Returns the best `k` items of each query; items of its history are left out.

        Raises:
          UserError: see `embed`; or `k` is not positive.
        """
        if k < 1:
            raise UserError(f"k = {k}: ask for at least one result")
        queries = self.embed(raw)
        known = [n for n, kind in self.inputs.items() if isinstance(kind, IdListInput)]
        seen = [
            {id for name in known if name in raw for id in raw[name][row]}
            for row in range(len(queries))
        ]
        return self.nearest(queries, k, seen)

    def nearest(
        self, vectors: np.ndarray, k: int, hidden: Sequence[set[str]] | None = None
    ) -> list[list[Found]]:
        """Returns the best `k` items of each embedding.

        Args:
          vectors: f32[B, D].
          k: number of results.
          hidden: ids that are left out, of each embedding.
        """
        hidden = [set()] * len(vectors) if hidden is None else hidden
        items, scores = self.index.search(vectors)
        wanted = k + max(map(len, hidden), default=0)
        if wanted > items.shape[1]:
            wanted = min(wanted, len(self.ids))
            items, scores = scann_index.exact_search(vectors, self.vectors, wanted)
        return [
            [
                Found(self.ids[i], self.titles[i], float(score))
                for i, score in zip(row, values, strict=True)
                if i >= 0 and self.ids[i] not in out
            ][:k]
            for row, values, out in zip(items, scores, hidden, strict=True)
        ]


def answer(
    bundle: Path, text: str, history: Sequence[str], k: int, as_json: bool
) -> str:
    """Returns the results of one query as text for a person or as JSON.

    Raises:
      UserError: no bundle, nothing to ask, or an id that the bundle does not know.
    """
    if k < 1:
        raise UserError(f"-k {k}: ask for at least one result")
    if not text.strip() and not history:
        raise UserError("there is nothing to ask: give --text or --history")
    retriever = Retriever.open(bundle)
    raw: dict[str, list[Any]] = {}
    if text.strip():
        raw["text"] = [text]
        kind = retriever.inputs.get("text")
        if kind is not None and not np.any(kind.encode([text])):
            log.warning("the bundle knows no part of %r: it says nothing", text)
    if history:
        known = set(retriever.ids)
        for id in history:
            if id not in known:
                raise UserError(
                    f"--history {id}: the bundle knows no such item."
                    + nearest(id, known)
                )
        raw["history"] = [list(history)]
    (found,) = retriever.search(raw, k)
    if as_json:
        return json.dumps([vars(one) for one in found], indent=2)
    lines = [f"{one.score:8.4f}  {one.id:>12}  {one.title}" for one in found]
    return "\n".join(["   score            id  title", *lines])


def _padded(rows: np.ndarray, size: int) -> np.ndarray:
    return np.pad(rows, ((0, size - len(rows)), *((0, 0),) * (rows.ndim - 1)))


def _blank(items: NewItems) -> np.ndarray:
    """Returns the items of which every feature is zero."""
    said = np.zeros(len(items.ids), bool)
    for column in items.features.values():
        rows = column[0 : len(said)]
        said |= (rows != 0).reshape(len(rows), -1).any(1)
    return np.flatnonzero(~said)


def open_bundle(folder: str | Path) -> Retriever:
    """Opens a bundle.

    Args:
      folder: that `recjax export` wrote.

    Raises:
      UserError: it is no bundle, or a file is missing or damaged.
    """
    return Retriever.open(Path(folder))
