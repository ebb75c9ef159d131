"""Evaluations of image embeddings: photographs of a split against a gallery."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import jax
import numpy as np
from jax.sharding import set_mesh

from recjax.data.images.source import ImagesData
from recjax.data.pipeline import HostBatch
from recjax.errors import UserError
from recjax.metrics import gallery
from recjax.metrics.gallery import Distances
from recjax.sharding.placement import put_batch, replicated
from recjax.train.program import Program
from recjax.train.state import State

KS = (1, 2, 4, 8)
Show = Callable[[Sequence[int]], HostBatch]
"""Positions -> image uint8 [n, size, size, 3], and maps of it where they are kept."""


@dataclass(frozen=True)
class GalleryRanking:
    """Recall@K and MAP@R on each level of classes: a split against another one.

    Attributes:
      split: queries.
      gallery: what is searched; never the split itself.
      ks: of recall.
      every: steps between evaluations in training; 0 for the end alone.
      flip: embed the mirror image too and take the mean of both.
      of: only queries of these classes, of any level; all where none is named.
    """

    split: str = "test"
    gallery: str = "train"
    ks: tuple[int, ...] = KS
    every: int = 0
    flip: bool = False
    of: tuple[str, ...] = ()
    trained = True

    def run(self, program: Program, state: State | None) -> Mapping[str, float]:
        """Returns recall@K and MAP@R by level, and the mean distance of two images."""
        data = images_of(program)

        def embed(positions: np.ndarray) -> np.ndarray:
            return embed_images(program, state, positions, data.shown, self.flip)

        splits = self.split, self.gallery
        return judge(data, *splits, embed, gallery.cosine, self.ks, self.of)


def images_of(program: Program) -> ImagesData:
    """Returns the data.

    Raises:
      UserError: it holds no images.
    """
    if not isinstance(program.dataset, ImagesData):
        raise UserError("this evaluation needs images; this data has none")
    return program.dataset


def judge(
    data: ImagesData,
    split: str,
    against: str,
    embed: Callable[[np.ndarray], np.ndarray],
    distances: Distances,
    ks: Sequence[int] = KS,
    of: Sequence[str] = (),
) -> dict[str, float]:
    """Returns recall@K and MAP@R by level, "fine/recall@1" and so on.

    Args:
      data: the images.
      split: queries.
      against: gallery.
      embed: positions -> vectors [n, D].
      distances: between vectors.
      ks: of recall.
      of: classes of the queries; all where none is named.

    Raises:
      UserError: the split is its own gallery; photographs are taken in bursts, and
        each would find its neighbour in the burst. Or no query is of these classes.
    """
    if split == against:
        raise UserError(f"{split} cannot be its own gallery: name another split")
    asked, held = data.table.of_split(split), data.table.of_split(against)
    if of:
        asked = asked[data.table.in_classes(of)[asked]]
    if not len(asked):
        raise UserError(f"no image of the split {split!r} is in the classes {of}")
    queries, corpus = embed(asked), embed(held)
    labels = data.table.labels
    pairs = [(labels[asked, i], labels[held, i]) for i in range(labels.shape[1])]
    most = max(max(ks), *(gallery.most_relevant(*pair) for pair in pairs))
    found = gallery.nearest(queries, corpus, most, distances)
    figures = {}
    for level, pair in zip(data.table.levels, pairs, strict=True):
        got = gallery.class_figures(found, *pair, ks)
        figures |= {f"{level}/{name}": value for name, value in got.items()}
    return figures


def embed_images(
    program: Program,
    state: State,
    positions: Sequence[int],
    show: Show,
    flip: bool = False,
    block: int = 64,
) -> np.ndarray:
    """Embeds images block by block, in one compiled shape [n, D].

    Args:
      program: the opened experiment.
      state: the trained state.
      positions: what `show` takes, one an image.
      show: reads a block.
      flip: take the mean with the mirror image.
      block: images at a time; memory does not grow with their number.
    """
    block = -(-block // program.mesh.size) * program.mesh.size
    run, out = program.embedders["image"], []
    with set_mesh(program.mesh):

        def embed(batch: HostBatch) -> np.ndarray:
            vectors = run(state, put_batch(batch, program.mesh))
            return np.asarray(jax.device_put(vectors, replicated(program.mesh)))

        for start in range(0, len(positions), block):
            rows = min(block, len(positions) - start)
            part = {
                name: np.pad(x, ((0, block - rows), *((0, 0),) * 3))
                for name, x in show(positions[start : start + block]).items()
            }
            vectors = embed(part)
            if flip:
                mirrored = np.ascontiguousarray(part["image"][:, :, ::-1])
                vectors = vectors + embed({"image": mirrored})
            out.append(vectors[:rows].astype(np.float32))
    vectors = np.concatenate(out)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
