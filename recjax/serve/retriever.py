"""Answers from a bundle, without TensorFlow: raw features -> items and scores."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recjax.data import inputs as raw_inputs
from recjax.data.inputs import IdListInput, Input
from recjax.errors import UserError, nearest
from recjax.export import jax_export, manifest, scann_index

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
      inputs: how feature arrays are made from raw values.
      query: feature arrays -> embeddings.
    """

    ids: tuple[str, ...]
    titles: tuple[str, ...]
    vectors: np.ndarray
    index: scann_index.Index
    inputs: Mapping[str, Input]
    query: Any

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
        return cls(
            ids,
            titles,
            vectors,
            scann_index.load(folder / "index"),
            raw_inputs.load(folder, ids),
            jax_export.load(folder / "query.jaxexport.npz"),
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
        return np.asarray(self.query(features))

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
        items, scores = self.index.search(queries)
        wanted = k + max(map(len, seen), default=0)
        if wanted > items.shape[1]:
            wanted = min(wanted, len(self.ids))
            items, scores = scann_index.exact_search(queries, self.vectors, wanted)
        return [
            [
                Found(self.ids[i], self.titles[i], float(score))
                for i, score in zip(row, values, strict=True)
                if i >= 0 and self.ids[i] not in hidden
            ][:k]
            for row, values, hidden in zip(items, scores, seen, strict=True)
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
