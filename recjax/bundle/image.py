"""A bundle of an image model: pixels -> vectors, and those of a gallery."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from recjax.bundle import signatures
from recjax.bundle.check import Limits, Trial
from recjax.bundle.functions import prune_state, tower_function
from recjax.bundle.image_files import ImageFiles
from recjax.bundle.open import IMAGE
from recjax.bundle.write import Contents, write_bundle
from recjax.evals.embed import embed_images, images_of
from recjax.train.program import Program
from recjax.train.state import State

SIDE = "image"


@dataclass(frozen=True)
class ImageBundle:
    """What an experiment says of its bundle.

    The items are the images of the gallery; their titles are their classes.

    Attributes:
      gallery: split whose images are in it.
      saved_model: write a SavedModel (needs TensorFlow).
      check_images: images that are embedded live and from the bundle.
      tolerance: largest difference of a score.
    """

    gallery: str = "train"
    saved_model: bool = True
    check_images: int = 32
    tolerance: float = 1e-4

    def write(self, program: Program, state: State, folder: Path) -> str:
        """Writes a bundle, loads it back, compares it, and says what was measured.

        Raises:
          UserError: the data holds no images, a package is missing, or the bundle does
            not do what the live model does.
          OSError: the folder cannot be written.
        """
        return write_bundle(
            program,
            state,
            folder,
            lambda: self._contents(program, state),
            self.saved_model,
            Limits(self.tolerance),
        )

    def _contents(self, program: Program, state: State) -> Contents:
        model, data = program.experiment.model, images_of(program)
        table, gallery = data.table, data.table.of_split(self.gallery)
        pixels = {SIDE: data.center_crops(gallery[: self.check_images])}
        # From their pixels: kept maps are of half precision.
        vectors = embed_images(
            program, state, gallery, lambda at: {SIDE: data.center_crops(at)}
        )
        files = ImageFiles(data.settings.size, data.settings.center_crop, np.asarray)
        titles = [
            " / ".join(
                names[n] for names, n in zip(table.classes, table.labels[i], strict=True)
            )
            for i in gallery
        ]
        trial = Trial(
            lambda call: np.asarray(call(pixels)),
            vectors[: self.check_images],
            lambda saved: lambda given: saved[signatures.SERVING](given)["embedding"],
        )
        return Contents(
            [table.names[i] for i in gallery],
            titles,
            vectors,
            {SIDE: tower_function(model, SIDE)},
            lambda _: prune_state(model, state, {SIDE: pixels}),
            {SIDE: pixels},
            {SIDE: trial},
            lambda folder: files.save(folder / IMAGE),
            {signatures.SERVING: partial(signatures.embed, size=files.size)},
        )
