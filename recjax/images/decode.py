"""Bytes of an image file to RGB pixels, or one clear reason why not."""

from __future__ import annotations

import io

import numpy as np
import simplejpeg
from PIL import Image, ImageOps, UnidentifiedImageError

MOST_PIXELS = 100_000_000
"""Larger images are refused before memory is taken for them."""
JPEG = b"\xff\xd8\xff"
WHITE = (255, 255, 255)


class BadImageError(ValueError):
    """An image that cannot be decoded; the text says why."""


def decode(data: bytes, height: int = 0, width: int = 0) -> np.ndarray:
    """Returns the pixels as a person sees them, uint8 [H, W, 3].

    Turned upright as EXIF says; transparent pixels over white; 16 bits a channel cut to
    8; CMYK, palettes and grey become RGB.

    Args:
      data: JPEG, PNG, WebP, GIF (first frame), BMP or TIFF.
      height: JPEGs may be decoded smaller, but to at least this many pixels: they are
        scaled by 4/8, 3/8, 2/8 or 1/8 while being decoded, which saves most of the
        time. 0 keeps every pixel.
      width: the same.

    Raises:
      BadImageError: empty, cut short, damaged, too large, or no image.
    """
    if not data:
        raise BadImageError("the file is empty")
    if data[:3] == JPEG:
        try:
            rows, columns, colours, _ = simplejpeg.decode_jpeg_header(data)
        except ValueError as error:
            raise BadImageError(f"damaged JPEG ({error})") from error
        if colours not in ("CMYK", "YCCK"):
            return _jpeg(data, rows, columns, height, width)
    return _any(data)


def _jpeg(data: bytes, rows: int, columns: int, height: int, width: int) -> np.ndarray:
    turn = _orientation(data)
    if turn >= 5:
        height, width = width, height
    if not height or not width:
        height, width = rows, columns
    _refuse_huge(rows, columns)
    try:
        pixels = simplejpeg.decode_jpeg(
            data,
            "RGB",
            fastdct=True,
            fastupsample=True,
            min_height=min(height, rows),
            min_width=min(width, columns),
            min_factor=2,
        )
    except ValueError as error:
        raise BadImageError(f"damaged or cut-off JPEG ({error})") from error
    return _upright(pixels, turn)


def _any(data: bytes) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(data)) as image:
            _refuse_huge(image.height, image.width)
            image.load()
            image = ImageOps.exif_transpose(image)
            return np.array(_rgb(image))
    except BadImageError:
        raise
    except UnidentifiedImageError as error:
        raise BadImageError("not an image that can be read") from error
    # Pillow's decoders fail on damaged bytes in whatever way these ask for.
    except Exception as error:
        kind = type(error).__name__
        raise BadImageError(f"damaged or cut off ({kind}: {error})") from error


def _refuse_huge(rows: int, columns: int) -> None:
    if rows * columns > MOST_PIXELS:
        raise BadImageError(
            f"{columns:,} x {rows:,} pixels, more than {MOST_PIXELS // 1_000_000} "
            "million; make it smaller"
        )


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        # Pillow would clip 16 bits to 8 instead of scaling them.
        values = np.asarray(image, np.int64)
        return Image.fromarray((values >> 8).clip(0, 255).astype(np.uint8)).convert(
            "RGB"
        )
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        below = Image.new("RGBA", image.size, (*WHITE, 255))
        return Image.alpha_composite(below, image).convert("RGB")
    return image.convert("RGB")


def _orientation(data: bytes) -> int:
    """Returns EXIF's orientation of a JPEG, 1 to 8; 1 where there is none."""
    if b"Exif\x00\x00" not in data[:65_536]:
        return 1
    try:
        with Image.open(io.BytesIO(data)) as image:
            turn = image.getexif().get(0x0112, 1)
    except Exception:  # Broken EXIF is no reason to lose the picture.
        return 1
    return turn if turn in range(1, 9) else 1


def _upright(pixels: np.ndarray, turn: int) -> np.ndarray:
    if turn in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
