"""Bytes of an image file to RGB pixels, or one clear reason why not."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from recjax.extras import require

if TYPE_CHECKING:
    from PIL import Image

MOST_PIXELS, MOST_JPEG_PIXELS = 50_000_000, 100_000_000
"""Larger images are refused before memory, up to 28 bytes a pixel, is taken."""
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""What is read: Pillow knows more, some of which run other programs (EPS)."""
RATIOS = (2, 4, 8)
"""How much smaller JPEGs may be decoded."""
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
        halved once, twice or three times while being decoded, as TensorFlow can too,
        which saves most of the time. 0 keeps every pixel.
      width: the same.

    Raises:
      BadImageError: empty, cut short, damaged, too large, or no image.
      UserError: the packages that read images are not installed.
    """
    for package in ("PIL", "simplejpeg"):
        require(package, "images", "reading images")
    import simplejpeg

    if not data:
        raise BadImageError("the file is empty")
    if data[:3] == JPEG:
        try:
            rows, columns, colours, _ = simplejpeg.decode_jpeg_header(data)
        except ValueError as error:
            raise BadImageError(f"damaged JPEG ({error})") from error
        if colours not in ("CMYK", "YCCK"):
            return _jpeg(data, int(rows), int(columns), height, width)
    return _any(data)


def example_image() -> bytes:
    """Returns the file of a small grey image."""
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (64, 48), (128, 128, 128)).save(out, "JPEG")
    return out.getvalue()


def as_jpeg(data: bytes) -> bytes:
    """Returns an image file as a JPEG; one that is a JPEG as it is."""
    if data[: len(JPEG)] == JPEG:
        return data
    import simplejpeg

    return simplejpeg.encode_jpeg(decode(data), quality=95)


def _jpeg(data: bytes, rows: int, columns: int, height: int, width: int) -> np.ndarray:
    import simplejpeg

    turn = _orientation(data)
    if turn >= 5:
        height, width = width, height
    if not height or not width:
        height, width = rows, columns
    _refuse_huge(rows, columns, MOST_JPEG_PIXELS)
    # ceil(rows / r) >= height, and columns too.
    fits = (r for r in RATIOS if rows > r * (height - 1) and columns > r * (width - 1))
    ratio = max(fits, default=1)
    try:
        pixels = simplejpeg.decode_jpeg(
            data,
            "RGB",
            fastdct=True,
            fastupsample=True,
            min_height=-(-rows // ratio),
            min_width=-(-columns // ratio),
        )
    except ValueError as error:
        raise BadImageError(f"damaged or cut-off JPEG ({error})") from error
    return _upright(pixels, turn)


def _any(data: bytes) -> np.ndarray:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _refuse_huge(image.height, image.width, MOST_PIXELS)
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return np.array(_rgb(image))
    except BadImageError:
        raise
    except UnidentifiedImageError as error:
        known = ", ".join(FORMATS)
        raise BadImageError(f"not an image that can be read ({known})") from error
    except Image.DecompressionBombError as error:
        raise BadImageError(f"too large ({error}); make it smaller") from error
    # Pillow's decoders fail on damaged bytes in whatever way these ask for.
    except Exception as error:
        kind = type(error).__name__
        raise BadImageError(f"damaged or cut off ({kind}: {error})") from error


def _refuse_huge(rows: int, columns: int, most: int) -> None:
    if rows * columns > most:
        raise BadImageError(
            f"{columns:,} x {rows:,} pixels, more than {most // 1_000_000} million; "
            "make it smaller"
        )


def _rgb(image: Image.Image) -> Image.Image:
    from PIL import Image

    if image.mode.startswith("I;16") or image.mode == "I":
        # Pillow would clip 16 bits to 8 instead of scaling them.
        values = (np.asarray(image) >> 8).clip(0, 255).astype(np.uint8)
        return Image.fromarray(values).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        below = Image.new("RGBA", image.size, (*WHITE, 255))
        return Image.alpha_composite(below, image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _orientation(data: bytes) -> int:
    """Returns EXIF's orientation of a JPEG, 1 to 8; 1 where there is none."""
    if b"Exif\x00\x00" not in data[:65_536]:
        return 1
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
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
