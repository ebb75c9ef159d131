import numpy as np
import pytest

from recjax.images.handcrafted import (
    binary_patterns,
    handcrafted,
    hog,
    lab_histogram,
)


def test_histograms_count_pixels_whatever_their_place():
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    got = lab_histogram(pixels)
    assert got.shape == (512,) and got.sum() == pytest.approx(1)
    np.testing.assert_array_equal(got, lab_histogram(pixels[::-1, ::-1]))
    np.testing.assert_allclose(got * 63, np.rint(got * 63), atol=1e-9)


def test_colours_beyond_the_range_count_in_the_outermost_bins():
    blue = np.full((2, 2, 3), (0, 0, 255), np.uint8)  # L 32.3, a 79.2, b -107.9
    assert lab_histogram(blue)[(2 * 8 + 7) * 8 + 0] == 1


def stripes(turn):
    y, x = np.mgrid[:128, :128]
    wave = np.sin((x * np.cos(turn) + y * np.sin(turn)) * 0.5)
    return np.repeat((127 + 120 * wave)[..., None], 3, 2).astype(np.uint8)


@pytest.mark.parametrize("bin_", [0, 2, 4, 7])
def test_stripes_fall_into_the_bin_of_their_gradient(bin_):
    turn = (bin_ + 0.5) * np.pi / 9  # the middle of a bin
    got = hog(stripes(turn)).reshape(-1, 4, 9)
    assert got.shape == (49, 4, 9)
    assert got.sum((0, 1)).argmax() == bin_


def test_gradients_do_not_depend_on_brightness_much():
    dark = (stripes(0.3) * 0.5).astype(np.uint8)
    a, b = hog(stripes(0.3)), hog(dark)
    assert np.linalg.norm(a) == pytest.approx(1)
    assert a @ b > 0.99


def test_patterns_of_a_flat_picture_and_of_noise():
    flat = binary_patterns(np.full((64, 64, 3), 90, np.uint8))
    assert flat[8] == 1  # all neighbours as bright
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3)).astype(np.uint8)
    assert binary_patterns(noise)[9] > 0.2


def test_the_mix_weighs_squared_distances():
    one, two = stripes(0.0), stripes(1.0)
    whole = ((handcrafted(one) - handcrafted(two)) ** 2).sum()
    parts = [
        ((handcrafted(one, own) - handcrafted(two, own)) ** 2).sum()
        for own in (
            {"shape": 0.0, "texture": 0.0},
            {"colour": 0.0, "texture": 0.0},
            {"colour": 0.0, "shape": 0.0},
        )
    ]
    assert whole == pytest.approx(sum(parts))
