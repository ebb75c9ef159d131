"""A bundle of an image model: pixels -> vectors, and those of a gallery."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle.check import Function
from recjax.bundle.contract import EMBED, IMAGE_BYTES, SERVING
from recjax.bundle.functions import prune_state, tower_function
from recjax.bundle.open import IMAGE
from recjax.bundle.saved_model import Functions, Graph
from recjax.bundle.serving import BATCH_SIZES, Serving
from recjax.bundle.signatures import K
from recjax.bundle.tf_images import center_crops
from recjax.bundle.tf_top_k import top_k
from recjax.bundle.write import Contents, write_bundle
from recjax.evals.embed import embed_images, images_of
from recjax.images.augment import CenterCrop
from recjax.images.decode import as_jpeg, example_image
from recjax.index.compact import Type, Vectors, compact, loss
from recjax.index.plan import Plan
from recjax.train.program import Program
from recjax.train.state import State

SIDE = "image"


@dataclass(frozen=True)
class ImageBundle:
    """What an experiment says of its bundle.

    The items are the images of the gallery; their titles are their classes.

    Attributes:
      gallery: split whose images are in it.
      k: most results of an answer when it is served.
      batch_sizes: rows that are asked at once when it is served, rising.
      saved_model: write a SavedModel (needs TensorFlow).
      vectors: type of the gallery's vectors; see `two_tower.Bundle`.
      check_images: images that are embedded live and from the bundle.
      tolerance: largest difference of a score.
    """

    gallery: str = "train"
    k: int = 100
    batch_sizes: tuple[int, ...] = BATCH_SIZES
    saved_model: bool = True
    vectors: Type = "float32"
    check_images: int = 32
    tolerance: float = 1e-4

    def write(self, program: Program, state: State, folder: Path) -> str:
        """See `write_bundle`."""
        made, limits = self.contents, (self.saved_model, self.tolerance)
        return write_bundle(program, state, folder, made, *limits)

    def contents(self, program: Program, state: State) -> Contents:
        """Returns what the bundle holds."""
        model, data = program.experiment.model, images_of(program)
        table, gallery = data.table, data.table.of_split(self.gallery)
        # From their pixels: kept maps are of half precision.
        vectors = embed_images(
            program, state, gallery, lambda at: {SIDE: data.center_crops(at)}
        )
        titles = [
            " / ".join(
                names[n]
                for names, n in zip(table.classes, table.labels[i], strict=True)
            )
            for i in gallery
        ]
        size, share = data.settings.size, data.settings.center_crop.share
        about = json.dumps({"size": size, "center_crop": share})
        # A SavedModel takes JPEGs alone, whatever the gallery is of.
        files = [as_jpeg(table.read(i)) for i in gallery[: self.check_images]]
        crop = data.settings.center_crop
        pixels = {SIDE: np.stack([crop(file, size) for file in files])}
        some = np.arange(len(files))
        function = Function(
            tower_function(model, SIDE),
            pixels,
            embed_images(program, state, some, lambda at: {SIDE: pixels[SIDE][at]}),
            lambda saved: lambda _: saved[EMBED]({IMAGE_BYTES: files})["embedding"],
        )
        stored = compact(vectors, self.vectors)
        names = [table.names[i] for i in gallery]
        serving = Serving(min(self.k, len(vectors)), self.batch_sizes)
        graphs = partial(image_graphs, crop, size, stored, names, serving.k)
        return Contents(
            names,
            titles,
            stored,
            {SIDE: function},
            prune_state(model, state, {SIDE: pixels}),
            lambda folder: (folder / IMAGE).write_text(about + "\n"),
            graphs,
            serving,
            measured=loss(vectors, stored, vectors[: self.check_images]),
            asked={IMAGE_BYTES: [example_image()]},
        )


def image_graphs(
    crop: CenterCrop,
    size: int,
    vectors: Vectors,
    names: Sequence[str],
    k: int,
    tf: Any,
    module: Any,
    functions: Functions,
) -> dict[str, Graph]:
    """Returns the graphs of a bundle of photographs; all take JPEGs, string[B].

    embed            -> embedding f32[B, D]
    serving_default  k i32[B] besides -> ids and scores, as those of `signatures`
    """
    crops = center_crops(tf, crop, size)
    nearest = top_k(tf, module, vectors, names, Plan(k))
    files = {IMAGE_BYTES: tf.TensorSpec([None], tf.string)}

    def embed(given: dict[str, Any]) -> dict[str, Any]:
        made = functions[SIDE]({SIDE: crops(given[IMAGE_BYTES])})
        return {"embedding": tf.cast(made, tf.float32)}

    def serving(given: dict[str, Any]) -> dict[str, Any]:
        none = tf.zeros([tf.size(given[K]), 0], tf.int32)
        return nearest(embed(given)["embedding"], given[K], none)

    asked = {**files, K: tf.TensorSpec([None], tf.int32)}
    return {SERVING: (asked, serving), EMBED: (files, embed)}
