"""JPEGs in TensorFlow become the pixels that NumPy and numba make of them."""

import numpy as np
import pytest
from PIL import Image
from tiny_images import photograph

from recjax.bundle import tf_images
from recjax.images.augment import CenterCrop

tf = pytest.importorskip("tensorflow", reason="the savedmodel extra is not installed")
SIZE = 32


def turned(turn, order):
    exif = Image.Exif()
    exif.endian = order
    exif[0x010F], exif[0x0112] = "a camera", turn
    return photograph(90, 61, turn, exif=exif)


@pytest.fixture(scope="module")
def crops():
    spec = tf.TensorSpec([None], tf.string)
    made = tf.function(tf_images.center_crops(tf, CenterCrop(), SIZE), [spec])
    return lambda files: made(tf.constant(files)).numpy()


def near(found, files):
    wanted = np.stack([CenterCrop()(data, SIZE) for data in files])
    apart = np.abs(found.astype(int) - wanted)
    assert apart.max() <= 1 and (apart > 0).mean() < 0.001


def test_any_size_and_every_scale_of_decoding(crops):
    sides = [(1, 1), (7, 400), (31, 33), (66, 67), (67, 66), (133, 131), (264, 700)]
    near(crops(files := [photograph(*side) for side in sides]), files)


def test_grey_progressive_and_other_sampling(crops):
    files = [photograph(80, 90, mode="L"), photograph(80, 90, progressive=True)]
    files += [photograph(200, 199, subsampling=n, quality=30) for n in (0, 1, 2)]
    near(crops(files), files)


@pytest.mark.parametrize("order", ["<", ">"])
def test_photographs_stand_upright(crops, order):
    files = [turned(turn, order) for turn in range(9)]
    assert b"Exif" in files[1]
    near(crops(files), files)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no JPEG"),
        (b"no image", "no JPEG"),
        (photograph(60, 60)[:-300], "Invalid JPEG"),
        (photograph(60, 60)[:30], "JPEG"),
        (photograph(60, 60, mode="CMYK"), "CMYK"),
    ],
    ids=["empty", "text", "cut", "head", "cmyk"],
)
def test_what_is_no_photograph_says_why(crops, data, said):
    with pytest.raises(tf.errors.InvalidArgumentError, match=said):
        crops([photograph(40, 40), data])
