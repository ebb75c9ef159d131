"""The compiled resampling against Pillow's."""

import numpy as np
import pytest
from PIL import Image

from recjax.images.resample import grey_mean, resample

AS_THEY_ARE = np.eye(3, 4, dtype=np.float32)


def photograph(height, width, seed=0):
    """Detail at several scales, up to single pixels."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (height // 7 + 1, width // 7 + 1, 3))
    coarse = coarse.repeat(7, 0).repeat(7, 1)[:height, :width]
    fine = generator.integers(-40, 41, (height, width, 3))
    return (coarse + fine).clip(0, 255).astype(np.uint8)


def pillow(pixels, left, top, wide, tall, size):
    image = Image.fromarray(pixels)
    box = (left, top, left + wide, top + tall)
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, box=box))


@pytest.mark.parametrize(
    ("shape", "box", "size"),
    [
        ((256, 256), (3.2, 4.1, 247.1, 247.6), 224),
        ((512, 300), (20.0, 30.0, 200.3, 430.9), 224),
        ((64, 64), (10.5, 0.0, 20.0, 64.0), 100),
        ((600, 900), (0.0, 0.0, 900.0, 600.0), 33),
        ((1, 1), (0.0, 0.0, 1.0, 1.0), 5),
        ((2, 5), (0.3, 0.2, 4.7, 1.8), 7),
        ((40, 40), (39.0, 39.5, 1.0, 0.5), 8),
        ((50, 3), (0.0, 12.25, 3.0, 1.5), 32),
    ],
)
def test_a_box_is_that_of_pillow(shape, box, size):
    pixels = photograph(*shape)
    got = resample(pixels, *box, size, False, AS_THEY_ARE)
    assert got.shape == (size, size, 3) and got.dtype == np.uint8
    # Pillow rounds between rows and columns, we at the end.
    off = np.abs(got.astype(int) - pillow(pixels, *box, size))
    assert off.max() <= 1 and off.mean() < 0.3


def test_random_boxes_are_those_of_pillow():
    generator = np.random.default_rng(1)
    for seed in range(100):
        height, width = generator.integers(2, 200, 2)
        left, top = generator.uniform(0, (width - 1, height - 1))
        wide, tall = generator.uniform(0.1, (width - left, height - top))
        box, size = (left, top, wide, tall), int(generator.integers(1, 90))
        pixels = photograph(height, width, seed)
        got = resample(pixels, *box, size, False, AS_THEY_ARE).astype(int)
        assert np.abs(got - pillow(pixels, *box, size)).max() <= 1


def test_a_mirror_image_is_the_image_mirrored():
    pixels, box = photograph(90, 70), (5.5, 6.5, 60.0, 70.0)
    plain = resample(pixels, *box, 50, False, AS_THEY_ARE)
    mirrored = resample(pixels, *box, 50, True, AS_THEY_ARE)
    np.testing.assert_array_equal(mirrored, plain[:, ::-1])


def test_colours_are_mapped_and_stay_within_their_range():
    pixels, box = photograph(64, 64), (0.0, 0.0, 64.0, 64.0)
    colours = np.random.default_rng(2).normal(0.3, 0.8, (3, 4)).astype(np.float32)
    colours[:, 3] *= 100
    got = resample(pixels, *box, 64, False, colours)
    wanted = pixels @ colours[:, :3].T + colours[:, 3]
    assert wanted.min() < 0 and wanted.max() > 255
    np.testing.assert_allclose(got, wanted.clip(0, 255), atol=0.501)


def test_the_mean_is_that_of_the_box():
    pixels = photograph(80, 60)
    weights = np.array([0.299, 0.587, 0.114])
    got = grey_mean(pixels, 9.6, 20.2, 30.0, 40.0, weights)
    wanted = (pixels[20:60, 10:40] @ weights).mean()
    np.testing.assert_allclose(got, wanted, rtol=1e-9)
    whole = grey_mean(pixels, 0.0, 0.0, 60.0, 80.0, weights)
    np.testing.assert_allclose(whole, (pixels @ weights).mean(), rtol=1e-9)
    last = grey_mean(pixels, 59.8, 79.7, 0.2, 0.3, weights)
    np.testing.assert_allclose(last, pixels[79, 59] @ weights, rtol=1e-6)
