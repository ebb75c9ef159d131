"""Small JPEGs of photographs, for pages."""

from __future__ import annotations

import numpy as np

SIDE, QUALITY = 96, 70


def thumbnail(image: bytes | np.ndarray) -> bytes:
    """Returns a JPEG of at most `SIDE` pixels a side, about 3 kB.

    Args:
      image: an image file, or pixels uint8 [H, W, 3].

    Raises:
      BadImageError: the file cannot be decoded.
      UserError: the packages that read images are not installed.
    """
    from recjax.images.decode import decode

    pixels = decode(image, SIDE, SIDE) if isinstance(image, bytes) else image
    import simplejpeg
    from PIL import Image

    small = Image.fromarray(pixels)
    small.thumbnail((SIDE, SIDE))
    made = np.ascontiguousarray(small)
    return simplejpeg.encode_jpeg(made, quality=QUALITY)
