"""Opening a bundle, and what it answers; needs no TensorFlow.

manifest.json            hashes, versions, sizes, and what the checks measured
vectors.npy, items.jsonl item vectors [N, D]; id and title of each, in their order
vectors.json             what their numbers are, where they are not float32
functions.jaxexport.npz  functions by name, for any batch size on cpu, cuda, tpu:
                         "query" and "item": feature arrays -> vectors; "image": pixels
                         -> vectors; "step": a user's event and memory -> the next ones
index/                   of ScaNN, where exact search would be slow
fusion/                  what is added to the scores of vectors, see `fusion`
columns.parquet          what else is known of the items, see `item_columns`
inputs/                  how features of queries and new items are made from raw values
image.json               how a photograph becomes pixels
session/                 what a session model keeps of users, see `session_state`
medoids.json             how users' medoids find items; such a bundle has no functions
engine.json              where `recjax push` wrote the vectors; not in the manifest
serving.json             most results of an answer, and rows that are asked at once
saved_model/             the same for TensorFlow
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recjax.blocks import block_of, in_blocks
from recjax.bundle import engine, fusion, item_columns, jax_export, manifest
from recjax.bundle.finder import Finder
from recjax.bundle.medoids import Medoids
from recjax.bundle.queries import encode_queries
from recjax.bundle.serving import Serving
from recjax.bundle.session_state import SessionState
from recjax.data import inputs as raw_inputs
from recjax.data import item_readers
from recjax.data.dataset import CorpusColumn, ItemReader
from recjax.data.inputs import IdListInput, Input
from recjax.errors import UserError
from recjax.evals.fused import FusedParts
from recjax.extras import require
from recjax.index import scann
from recjax.index.compact import in_memory
from recjax.index.engine import Pushed
from recjax.index.item_vectors import Found, ItemVectors, best_of
from recjax.tables.result import Options

if TYPE_CHECKING:
    from recjax.bundle.image_files import ImageFiles

log = logging.getLogger(__name__)
FUNCTIONS, INPUTS, IMAGE = "functions.jaxexport.npz", "inputs", "image.json"
SAVED_MODEL = "saved_model"
ANSWERS = {
    "query": "queries (`recjax query`, `recjax embed --text`)",
    "item": "new items (`recjax embed --items`)",
    "image": "photographs (`recjax eval --triplets`)",
    "step": "sessions of users (`recjax query --history`, `recjax session`)",
}
"""Function -> what a bundle that holds it takes."""


@dataclass(frozen=True)
class OpenBundle:
    """An opened bundle; what an answer needs is read when it is first asked for.

    Attributes:
      folder: where it lies.
      items: ids, titles and vectors of the items.
      info: what its manifest says of the run and the data that it is of.
      model: what tells its model from others.
    """

    folder: Path
    items: ItemVectors
    info: Mapping[str, Any] = field(default_factory=dict)
    model: str = ""

    def __repr__(self) -> str:
        """Returns where it lies, what it is of, what finds items, and what it takes."""
        kind = self.info.get("experiment") or "bundle"
        told = f"{len(self.items.ids):,} items"
        if parts := fusion.names(self.folder):
            told += f", found by {' + '.join(parts)}"
        return f"<{kind} {self.folder}: {told}; takes {self._takes()}>"

    @cached_property
    def index(self) -> scann.Index | Pushed:
        """Finds the items nearest to vectors."""
        if (pushed := engine.load(self.folder, self.items)) is not None:
            return pushed
        # An exact search reads all vectors each time: from memory, not from disk.
        return scann.load(self.folder, in_memory(self.items.vectors))

    @cached_property
    def fusion(self) -> FusedParts | None:
        """What is added up to find items; None where the vectors alone do."""
        return fusion.load(self.folder)

    @cached_property
    def finder(self) -> Finder:
        """Finds items, by all that counts."""
        known = partial(item_columns.load, self.folder)
        return Finder(self.items, lambda: self.index, lambda: self.fusion, known)

    @cached_property
    def functions(self) -> Mapping[str, jax_export.Loaded]:
        """Name -> function of arrays; see `ANSWERS`."""
        if self.medoids is not None:
            return {}
        return jax_export.load(self.folder / FUNCTIONS)

    @cached_property
    def medoids(self) -> Medoids | None:
        """How users' medoids find items; None where something else does."""
        return Medoids.load(self.folder)

    @cached_property
    def serving(self) -> Serving:
        """How it is served."""
        return Serving.load(self.folder)

    @cached_property
    def inputs(self) -> Mapping[str, Input]:
        """How features of queries are made from raw values."""
        self.need("query")
        return raw_inputs.load(self.folder / INPUTS, self.items.ids)

    @cached_property
    def reader(self) -> ItemReader:
        """How a file of new items becomes features."""
        self.need("item")
        return item_readers.load(self.folder / INPUTS, self.items.ids)

    @cached_property
    def images(self) -> ImageFiles:
        """Embeds photographs."""
        self.need("image")
        require("simplejpeg", "images", "a bundle of photographs")
        from recjax.bundle.image_files import ImageFiles
        from recjax.images.augment import CenterCrop

        about = json.loads((self.folder / IMAGE).read_text())
        crop = CenterCrop(about["center_crop"])
        return ImageFiles(about["size"], crop, self._blocks("image"))

    @cached_property
    def session(self) -> SessionState:
        """What is kept of users between their events."""
        self.need("step")
        return SessionState.load(self.folder)

    def need(self, name: str) -> None:
        """Raises a `UserError` that says what the bundle takes, if not this."""
        if name not in self.functions:
            lacks = ANSWERS[name].split(" (")[0]
            raise UserError(f"{self.folder} takes no {lacks}; it takes {self._takes()}")

    def _takes(self) -> str:
        takes = ", ".join(ANSWERS.get(n, n) for n in self.functions)
        return takes or "medoids of users (`recjax serve`)"

    def embed(self, raw: Mapping[str, Sequence[Any]]) -> np.ndarray:
        """Embeds raw queries, feature -> one raw value a query, as f32[B, D].

        Raises:
          UserError: the bundle takes no queries, or these are none; see `queries`.
        """
        return self.run("query", encode_queries(raw, self.inputs))

    def embed_items(
        self,
        path: str | Path,
        options: Options | None = None,
    ) -> tuple[tuple[str, ...], np.ndarray]:
        """Returns ids and vectors f32[n, D] of the items of a file, known or new.

        Args:
          path: CSV, TSV or Parquet file with the columns of the bundle's corpus.
          options: how it is read, and under which names.

        Raises:
          UserError: the bundle takes no new items, or the file has a problem.
        """
        ids: list[str] = []
        vectors = []
        for part in self.reader.read(Path(path), options or Options()):
            blank = part.blank()
            if len(blank):
                counts = len(blank), len(part.ids), part.ids[blank[0]]
                log.warning("the bundle knows nothing of %d of %d items: %s", *counts)
            vectors.append(self.run("item", part.features))
            ids += part.ids
        return tuple(ids), np.concatenate(vectors)

    def run(self, name: str, features: Mapping[str, CorpusColumn]) -> np.ndarray:
        """Returns what a function makes of feature arrays [N, ...]: f32[N, D]."""
        size = len(next(iter(features.values())))
        blocks = self._blocks(name)
        return blocks(
            size, block_of(features), lambda at: {n: a[at] for n, a in features.items()}
        )

    def search(
        self,
        raw: Mapping[str, Sequence[Any]],
        k: int,
        where: str | Sequence[str] = (),
    ) -> list[list[Found]]:
        """Returns the best `k` items of each query; items of its history are left out.

        Args:
          raw: feature -> one raw value a query.
          k: results of a query.
          where: conditions on the items' columns that all hold, as "price < 50".

        Raises:
          UserError: see `embed`; or `k` is not positive; or a condition is none.

        Example:
          open_bundle("bundles/shop").search({"text": ["red lamp"]}, 5)
        """
        vectors = self.embed(raw)
        known = [n for n, i in self.inputs.items() if isinstance(i, IdListInput)]
        lists = zip(*(raw[name] for name in known if name in raw), strict=True)
        hidden = [{id for ids in row for id in ids} for row in lists]
        best = partial(self.finder.find, vectors, raw, where=where)
        return best_of(self.items, best, k, hidden)

    def nearest(
        self,
        vectors: np.ndarray,
        k: int,
        hidden: Sequence[Collection[str]] = (),
        where: str | Sequence[str] = (),
    ) -> list[list[Found]]:
        """Returns the best `k` items of each vector [B, D], without `hidden` ids.

        Raises:
          UserError: `k` is not positive, or the vectors are not of the items' width;
            see `search` for `where`.
        """
        best = partial(self.finder.near, vectors, where=where)
        return best_of(self.items, best, k, hidden)

    def _blocks(self, name: str) -> Callable[..., np.ndarray]:
        """Returns (size, block, take) -> f32[size, D], as `in_blocks` does."""

        def run(size: int, block: int, take: Callable) -> np.ndarray:
            if not size:
                return np.zeros((0, self.items.vectors.shape[1]), np.float32)
            # Powers of two: few shapes are ever compiled.
            block = min(block, 1 << (size - 1).bit_length())
            return in_blocks(self.functions[name], size, block, take)

        return run


def open_bundle(path: str | Path) -> OpenBundle:
    """Opens what `recjax export` wrote, after comparing every file with its manifest.

    Raises:
      UserError: it is no bundle, one of recjax 0.1, or a file is missing or damaged.

    Example:
      films = open_bundle("bundles/movielens")
      films.search({"history": [["50", "181"]]}, 5)
    """
    folder = Path(path)
    content = manifest.verify(folder)
    info, vectors = content.get("info", {}), content["files"].get("vectors.npy", {})
    model = f"{info.get('parameters', '')} {vectors.get('sha256', '')}"
    return OpenBundle(folder, ItemVectors.open(folder), info, model)
