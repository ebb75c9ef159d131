import io

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from recjax.images.augment import Augment, CenterCrop

STILL = {"flip": 0.0, "brightness": 0.0, "contrast": 0.0, "colour": 0.0, "tint": 0.0}


def ramp(height, width):
    """Red is the column, green the row."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, 0 * x], -1).astype(np.uint8)


def png(pixels):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_the_same_generator_gives_the_same_pixels():
    data = png(ramp(90, 120))
    one, two, other = (
        Augment()(data, 32, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()


@pytest.mark.parametrize("shape", [(90, 120), (120, 90), (1, 1), (5, 200)])
def test_any_image_gives_the_size_asked_for(shape):
    got = Augment()(png(ramp(*shape)), 48, np.random.default_rng(0))
    assert got.shape == (48, 48, 3) and got.dtype == np.uint8
    assert CenterCrop()(png(ramp(*shape)), 48).shape == (48, 48, 3)


def test_crops_keep_to_area_and_place():
    """A ramp tells which columns and rows a crop came from."""
    vary = Augment(area=(0.25, 0.5), shape=(1.0, 1.0), **STILL)
    shares, places = [], []
    for seed in range(200):
        got = vary(png(ramp(100, 100)), 50, np.random.default_rng(seed)).astype(float)
        wide = (got[25, -1, 0] - got[25, 0, 0]) * 50 / 49
        tall = (got[-1, 25, 1] - got[0, 25, 1]) * 50 / 49
        shares.append(wide * tall / 1e4)
        places.append(got[25, 25, 0])
    assert 0.2 < min(shares) < 0.29 and 0.46 < max(shares) < 0.55
    # A crop of side s starts uniformly in 0..100-s: the middle stays around 50.
    assert abs(np.mean(places) - 50) < 4 and np.std(places) > 8


def test_mirror_images_come_at_their_chance():
    vary = Augment(area=(1.0, 1.0), **{**STILL, "flip": 0.3})
    data = png(ramp(60, 60))
    turned = [
        got[15, 0, 0] > got[15, -1, 0]
        for got in (vary(data, 30, np.random.default_rng(s)) for s in range(400))
    ]
    assert abs(np.mean(turned) - 0.3) < 4 * np.sqrt(0.21 / 400)


def test_brightness_and_tint_scale_levels():
    grey = png(np.full((20, 20, 3), 100, np.uint8))
    bright = Augment(**{**STILL, "brightness": 0.2})
    levels = [
        bright(grey, 8, np.random.default_rng(s))[0, 0].astype(int) for s in range(300)
    ]
    levels = np.array(levels)
    assert (levels[:, 0] == levels[:, 2]).all()
    assert 79 <= levels.min() <= 83 and 117 <= levels.max() <= 121
    tinted = Augment(**{**STILL, "tint": 0.1})(grey, 8, np.random.default_rng(0))[0, 0]
    assert (
        len(set(tinted.tolist())) > 1 and (np.abs(tinted.astype(int) - 100) < 12).all()
    )


def test_colours_go_towards_grey_and_away_from_it():
    red = np.tile(np.array([[[150, 100, 50]]], np.uint8), (20, 20, 1))
    vary = Augment(**{**STILL, "colour": 0.5})
    grey = 0.299 * 150 + 0.587 * 100 + 0.114 * 50
    shares = []
    for seed in range(100):
        got = vary(png(red), 8, np.random.default_rng(seed))[3, 3].astype(float)
        share = (got - grey) / (np.array([150, 100, 50]) - grey)
        assert np.ptp(share) < 0.35  # whole numbers, and green is near grey
        shares.append(share[0])
    assert 0.49 < min(shares) < 0.6 and 1.4 < max(shares) < 1.51


def test_the_middle_is_the_middle():
    got = CenterCrop(0.5)(png(ramp(80, 120)), 40).astype(int)
    # Rows 20 to 60 and columns 40 to 80.
    np.testing.assert_allclose(got[:, :, 0], np.tile(np.arange(40, 80), (40, 1)))
    np.testing.assert_allclose(got[:, 0, 1], np.arange(20, 60))


def test_a_smaller_decoding_shows_the_same_crop():
    y, x = np.mgrid[:1024, :1024]
    pixels = np.stack([x // 4, y // 4, 0 * x], -1).astype(np.uint8)
    large = png(pixels)
    small = simplejpeg.encode_jpeg(pixels, quality=98)  # decoded at 512 or 256
    vary = Augment(**STILL)
    for seed in range(20):
        a, b = (vary(d, 64, np.random.default_rng(seed)) for d in (large, small))
        assert np.abs(a.astype(int) - b.astype(int)).mean() < 3


@pytest.mark.parametrize(
    "bad", [{"area": (0, 1)}, {"area": (0.5, 2)}, {"shape": (2, 1)}]
)
def test_settings_outside_their_range_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        Augment(**bad)
