"""A bundle of an image model: pixels -> embeddings, and the gallery's own.

vectors.npy          embeddings of the gallery f32[N, D]
images.jsonl         name and class of each level, in the order of the vectors
image.jaxexport.npz  image uint8[B, size, size, 3] -> f32[B, D]; cpu, cuda, tpu
image.json           how a photograph becomes these pixels
saved_model/         the same function, for TensorFlow
manifest.json        hashes, versions, sizes, and what the checks measured
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle import image_saved_model, jax_export
from recjax.bundle.atomic import write_atomic
from recjax.bundle.towers import prune_state, tower_function
from recjax.errors import UserError
from recjax.evals.embed import embed_images, images_of
from recjax.train.program import Program
from recjax.train.state import State

SIDE = "image"
FUNCTION, PIXELS, IMAGES = "image.jaxexport.npz", "image.json", "images.jsonl"


@dataclass(frozen=True)
class ImageBundle:
    """What an experiment says of its bundle.

    Attributes:
      gallery: split whose images are in it.
      saved_model: write a SavedModel (needs TensorFlow).
      check_images: images that are embedded live and from the bundle.
      tolerance: largest difference of a number of an embedding.
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
        return write_atomic(
            program, state, folder, lambda at: (self._write(program, state, at), {})
        )

    def _write(self, program: Program, state: State, folder: Path) -> dict[str, Any]:
        model, data = program.experiment.model, images_of(program)
        table, gallery = data.table, data.table.of_split(self.gallery)
        vectors = _embedded(program, state, gallery)
        np.save(folder / "vectors.npy", vectors)
        with (folder / IMAGES).open("w") as file:
            for i in gallery:
                classes = {
                    level: names[number]
                    for level, names, number in zip(
                        table.levels, table.classes, table.labels[i], strict=True
                    )
                }
                line = {"name": table.names[i], "classes": classes}
                file.write(json.dumps(line) + "\n")
        size = data.settings.size
        pixels = {"size": size, "center_crop": data.settings.center_crop.share}
        (folder / PIXELS).write_text(json.dumps(pixels) + "\n")
        blank = {SIDE: np.zeros((1, size, size, 3), np.uint8)}
        kept = prune_state(model, state, {SIDE: blank})
        function = tower_function(model, SIDE)
        jax_export.save(folder / FUNCTION, function, kept, blank)
        if self.saved_model:
            image_saved_model.write(folder / "saved_model", function, kept, size)
        return self._check(program, state, gallery, folder)

    def _check(
        self, program: Program, state: State, gallery: np.ndarray, folder: Path
    ) -> dict[str, Any]:
        """Embeds some images live and by what was written."""
        data, some = images_of(program), gallery[: self.check_images]
        pixels = {SIDE: data.center_crops(some)}
        live = _embedded(program, state, some)
        saved = {"jax_export": jax_export.load(folder / FUNCTION)}
        if self.saved_model:
            saved["saved_model"] = image_saved_model.load(folder / "saved_model")
        facts: dict[str, Any] = {"images": len(gallery), "width": live.shape[1]}
        for name, function in saved.items():
            apart = float(np.abs(np.asarray(function(pixels)) - live).max())
            facts[f"{name}_difference"] = apart
            if not apart <= self.tolerance:
                raise UserError(
                    f"bundle check: embeddings by {name} differ by {apart}, over "
                    f"{self.tolerance}"
                )
        return facts


def _embedded(program: Program, state: State, images: np.ndarray) -> np.ndarray:
    """Embeds images from their pixels: kept maps are of half precision."""
    data = images_of(program)
    return embed_images(
        program, state, images, lambda at: {SIDE: data.center_crops(at)}
    )
