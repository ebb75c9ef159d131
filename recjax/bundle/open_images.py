"""Embeds photographs and finds their neighbours, from a bundle of an image model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle import jax_export, manifest
from recjax.bundle.image import FUNCTION, IMAGES, PIXELS, SIDE
from recjax.errors import UserError
from recjax.images.augment import CenterCrop
from recjax.images.decode import BadImageError
from recjax.metrics import gallery

BLOCK = 64
"""Images that are embedded at a time, in one compiled shape."""


@dataclass(frozen=True)
class ImageRetriever:
    """An opened bundle of an image model.

    Attributes:
      names: of the gallery's images [N].
      classes: of each of them, level -> class [N].
      vectors: their embeddings [N, D].
      size: pixels a side that the model sees.
      center_crop: which part of a photograph that is.
      function: {"image": pixels} -> embeddings.
    """

    names: tuple[str, ...]
    classes: tuple[Mapping[str, str], ...]
    vectors: np.ndarray
    size: int
    center_crop: CenterCrop
    function: Callable[[Mapping[str, np.ndarray]], Any]

    @classmethod
    def open(cls, folder: Path) -> ImageRetriever:
        """Opens a bundle, after comparing every file with its manifest.

        Raises:
          UserError: it is no bundle of an image model, or a file is damaged.
        """
        manifest.verify(folder)
        if not (folder / PIXELS).is_file():
            raise UserError(f"{folder} is a bundle of another kind: it sees no images")
        lines = (folder / IMAGES).read_text().splitlines()
        held = [json.loads(line) for line in lines]
        given = json.loads((folder / PIXELS).read_text())
        return cls(
            tuple(one["name"] for one in held),
            tuple(one["classes"] for one in held),
            np.load(folder / "vectors.npy"),
            given["size"],
            CenterCrop(given["center_crop"]),
            jax_export.load(folder / FUNCTION),
        )

    def pixels(self, data: bytes) -> np.ndarray:
        """Decodes an image file as the model sees it, uint8 [size, size, 3].

        Raises:
          BadImageError: it cannot be decoded.
        """
        return self.center_crop(data, self.size)

    def embed(
        self,
        names: Sequence[Any],
        show: Callable[[Sequence[Any]], Mapping[str, np.ndarray]],
    ) -> np.ndarray:
        """Embeds images block by block; returns f32[n, D] of length 1.

        Args:
          names: what `show` takes, one an image.
          show: some names -> {"image": uint8 [n, size, size, 3]}.
        """
        out = [np.zeros((0, self.vectors.shape[1]), np.float32)]
        for start in range(0, len(names), BLOCK):
            images = show(names[start : start + BLOCK])[SIDE]
            padded = np.pad(images, ((0, BLOCK - len(images)), *((0, 0),) * 3))
            out.append(np.asarray(self.function({SIDE: padded}))[: len(images)])
        return np.concatenate(out)

    def embed_files(self, paths: Sequence[Path]) -> np.ndarray:
        """Embeds image files, f32[n, D].

        Raises:
          UserError: a file is missing, or cannot be decoded.
        """
        return self.embed(paths, self._read)

    def nearest(
        self, vectors: np.ndarray, k: int = 10
    ) -> list[list[tuple[str, Mapping[str, str], float]]]:
        """Returns the `k` nearest images of the gallery: name, classes, cosine."""
        found = gallery.nearest(vectors, self.vectors, k)
        return [
            [(self.names[i], self.classes[i], float(v @ self.vectors[i])) for i in row]
            for v, row in zip(vectors, found, strict=True)
        ]

    def _read(self, paths: Sequence[Path]) -> Mapping[str, np.ndarray]:
        pixels = []
        for path in paths:
            try:
                pixels.append(self.pixels(Path(path).read_bytes()))
            except (OSError, BadImageError) as error:
                raise UserError(f"{path} is no image that can be read: {error}") from (
                    error
                )
        return {SIDE: np.stack(pixels)}
