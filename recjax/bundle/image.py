"""A bundle of an image model: pixels -> vectors, and those of a gallery."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from recjax.bundle import signatures
from recjax.bundle.check import Function
from recjax.bundle.contract import EMBED
from recjax.bundle.functions import prune_state, tower_function
from recjax.bundle.open import IMAGE
from recjax.bundle.serving import BATCH_SIZES, Serving
from recjax.bundle.write import Contents, write_bundle
from recjax.evals.embed import embed_images, images_of
from recjax.index.compact import Type, compact, loss
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
        pixels = {SIDE: data.center_crops(gallery[: self.check_images])}
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
        function = Function(
            tower_function(model, SIDE),
            pixels,
            vectors[: self.check_images],
            lambda saved: lambda given: saved[EMBED](given)["embedding"],
        )
        stored = compact(vectors, self.vectors)
        items = [table.names[i] for i in gallery], titles, stored
        return Contents(
            *items,
            {SIDE: function},
            prune_state(model, state, {SIDE: pixels}),
            lambda folder: (folder / IMAGE).write_text(about + "\n"),
            lambda tf, _, functions: {
                EMBED: signatures.arrays(tf, functions[SIDE], pixels)
            },
            Serving(min(self.k, len(vectors)), self.batch_sizes),
            measured=loss(vectors, stored, vectors[: self.check_images]),
        )
