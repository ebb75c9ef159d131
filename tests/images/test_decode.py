import io

import numpy as np
import pytest
import simplejpeg
from PIL import EpsImagePlugin, Image, PngImagePlugin

from recjax.images import decode as decoding
from recjax.images.decode import BadImageError, decode


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def picture(height=40, width=56):
    """A smooth picture, which JPEG keeps well."""
    y, x = np.mgrid[:height, :width]
    red = 255 * x / width
    return np.stack([red, 255 * y / height, 128 + 0 * x], -1).astype(np.uint8)


def near(got, want, tolerance=6):
    assert got.dtype == np.uint8 and got.shape == want.shape
    apart = np.abs(got.astype(int) - want.astype(int))
    assert apart.mean() < tolerance, apart.mean()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "JPEG"])
def test_formats(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    near(decode(saved(Image.fromarray(picture()), kind, **options)), picture())


def test_grey_and_palette_become_rgb():
    grey = Image.fromarray(picture()).convert("L")
    want = np.repeat(np.asarray(grey)[..., None], 3, -1)
    for kind in ("JPEG", "PNG"):
        near(decode(saved(grey, kind)), want, 2)
    palette = Image.fromarray(picture()).quantize(64)
    near(decode(saved(palette, "PNG")), np.asarray(palette.convert("RGB")), 1)


def test_transparent_pixels_are_white():
    rgba = np.dstack([picture(), np.zeros((40, 56), np.uint8)])
    assert (decode(saved(Image.fromarray(rgba), "PNG")) == 255).all()


def test_16_bits_are_scaled_not_clipped():
    values = np.linspace(0, 65_535, 40 * 56).reshape(40, 56).astype(np.uint16)
    got = decode(saved(Image.fromarray(values), "PNG"))
    np.testing.assert_array_equal(got[..., 0], values >> 8)


def test_cmyk():
    image = Image.fromarray(picture()).convert("CMYK")
    near(decode(saved(image, "JPEG", quality=95)), picture(), 8)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_one_pixel(kind):
    assert decode(saved(Image.new("RGB", (1, 1)), kind), 224, 224).shape == (1, 1, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_photographs_stand_upright(turn, kind):
    """Against Pillow's own handling of EXIF."""
    image = Image.fromarray(picture())
    exif = Image.Exif()
    exif[0x0112] = turn
    data = saved(image, kind, exif=exif, quality=95)
    from PIL import ImageOps

    want = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    near(decode(data), want, 3)


def test_jpegs_shrink_while_decoded_but_not_below_the_least():
    data = simplejpeg.encode_jpeg(picture(400, 600))
    assert decode(data, 100, 100).shape == (100, 150, 3)
    assert decode(data, 101, 100).shape == (200, 300, 3)
    assert decode(data, 50, 76).shape == (100, 150, 3)
    assert decode(data, 50, 75).shape == (50, 75, 3)
    assert decode(data, 300, 300).shape == (400, 600, 3)


@pytest.mark.parametrize(
    "data, why",
    [
        (b"", "empty"),
        (b"no image", "not an image"),
        (saved(Image.fromarray(picture()), "JPEG")[:-200], "JPEG"),
        (saved(Image.fromarray(picture()), "JPEG")[:30], "JPEG"),
        (saved(Image.fromarray(picture()), "PNG")[:-40], "damaged"),
        (saved(Image.fromarray(picture()), "PNG")[:20], "damaged|not an image"),
    ],
    ids=["empty", "text", "cut_jpeg", "head_jpeg", "cut_png", "head_png"],
)
def test_bad_images_say_why(data, why):
    with pytest.raises(BadImageError, match=why):
        decode(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_huge_images_are_refused_before_memory_is_taken(kind, monkeypatch):
    most = "MOST_JPEG_PIXELS" if kind == "JPEG" else "MOST_PIXELS"
    monkeypatch.setattr(decoding, most, 2_000)
    with pytest.raises(BadImageError, match="56 x 40 pixels"):
        decode(saved(Image.fromarray(picture()), kind))


@pytest.mark.parametrize("side", [9_999, 20_000])
def test_a_small_file_of_a_huge_image_is_refused(side, monkeypatch):
    def never(self):
        raise AssertionError("decoded")

    data = saved(Image.new("1", (side, side)), "PNG")
    assert len(data) < 100_000
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", never)
    with pytest.raises(BadImageError, match="9,999 x 9,999 pixels|too large"):
        decode(data)


def test_no_other_program_is_asked(monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("Ghostscript was asked")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", never)
    data = saved(Image.fromarray(picture()), "EPS")
    with pytest.raises(BadImageError, match="not an image that can be read .JPEG, PNG"):
        decode(data)
