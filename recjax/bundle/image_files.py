"""Photographs through the function of an image bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recjax.errors import UserError
from recjax.images.augment import CenterCrop
from recjax.images.decode import BadImageError

BLOCK = 64  # Images at a time.


@dataclass(frozen=True)
class ImageFiles:
    """Embeds images as a trained model does.

    Attributes:
      size: pixels a side that the model sees.
      center_crop: which part of a photograph that is.
      run: (number, block, slice -> pixels) -> vectors of length 1.
    """

    size: int
    center_crop: CenterCrop
    run: Callable[..., np.ndarray]

    def pixels(self, data: bytes) -> np.ndarray:
        """Decodes an image file as the model sees it, uint8 [size, size, 3].

        Raises:
          BadImageError: it cannot be decoded.
        """
        return self.center_crop(data, self.size)

    def embed(self, names: Sequence[Any], show: Callable) -> np.ndarray:
        """Embeds images block by block; returns f32[n, D] of length 1.

        `show` takes some names and returns {"image": uint8 [n, size, size, 3]}.
        """
        return self.run(len(names), BLOCK, lambda at: show(names[at]))

    def embed_files(self, paths: Sequence[str | Path]) -> np.ndarray:
        """Embeds image files, f32[n, D].

        Raises:
          UserError: a file is missing, or cannot be decoded.
        """
        return self.embed(paths, self._read)

    def _read(self, paths: Sequence[str | Path]) -> Mapping[str, np.ndarray]:
        pixels = []
        for path in paths:
            try:
                pixels.append(self.pixels(Path(path).read_bytes()))
            except (OSError, BadImageError) as error:
                said = f"{path} is no image that can be read: {error}"
                raise UserError(said) from error
        return {"image": np.stack(pixels)}
