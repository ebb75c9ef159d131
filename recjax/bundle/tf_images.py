"""JPEGs to the pixels that an image model sees, in TensorFlow.

The same as `images.augment.CenterCrop` makes: libjpeg's fast transforms give the same
pixels in both, and the resampling differs by its rounding alone, one level of 256.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

from recjax.images.augment import CenterCrop
from recjax.images.decode import JPEG, MOST_JPEG_PIXELS, RATIOS

_EXIF, _ORIENTATION = b"Exif\0\0", 0x0112
_SEARCHED, _NOWHERE = 65_536, 1 << 20


def center_crops(
    tf: Any, crop: CenterCrop, size: int, name: str = "image_bytes"
) -> Callable[[Any], Any]:
    """Returns files of JPEGs, string[B] -> uint8 [B, size, size, 3].

    When they are asked they raise InvalidArgumentError for what is no JPEG, cut off,
    damaged, too large, or printed in CMYK.
    """

    def one(data: Any) -> Any:
        pixels = _upright(tf, *_decoded(tf, data, crop.least(size), name))
        height, width = tf.shape(pixels)[0], tf.shape(pixels)[1]
        side = crop.share * tf.cast(tf.minimum(height, width), tf.float64)
        rows, columns = (_weights(tf, n, side, size) for n in (height, width))
        # Products of matrices alone: TensorFlow is slow at others of this shape.
        values = tf.reshape(tf.cast(pixels, tf.float32), [height, 3 * width])
        lines = tf.reshape(tf.matmul(rows, values), [size, width, 3])
        lines = tf.reshape(tf.transpose(lines, [1, 0, 2]), [width, 3 * size])
        made = tf.reshape(tf.matmul(columns, lines), [size, size, 3])
        made = tf.transpose(made, [1, 0, 2])
        return tf.cast(tf.clip_by_value(made + 0.5, 0.0, 255.0), tf.uint8)

    spec = tf.TensorSpec([size, size, 3], tf.uint8)
    return lambda files: tf.map_fn(one, files, fn_output_signature=spec)


def _decoded(tf: Any, data: Any, least: int, name: str) -> tuple[Any, Any]:
    """Returns the pixels as they are stored, and EXIF's orientation."""
    said = f"{name}: this is no JPEG file"
    begins = tf.strings.substr(data, 0, len(JPEG)) == JPEG
    good = tf.debugging.assert_equal(begins, True, said)
    with tf.control_dependencies([good]):
        shape = tf.image.extract_jpeg_shape(data, tf.int64)
    colours = f"{name}: a JPEG in CMYK; save it in RGB"
    large = f"{name}: more than {MOST_JPEG_PIXELS:,} pixels; make it smaller"
    checks = [
        tf.debugging.assert_less(shape[2], tf.constant(4, tf.int64), colours),
        tf.debugging.assert_less_equal(
            shape[0] * shape[1], tf.constant(MOST_JPEG_PIXELS, tf.int64), large
        ),
    ]

    def at(ratio: int) -> Callable[[], Any]:
        return lambda: tf.io.decode_jpeg(
            data,
            channels=3,
            ratio=ratio,
            fancy_upscaling=False,
            dct_method="INTEGER_FAST",
        )

    with tf.control_dependencies(checks):
        shorter = tf.reduce_min(shape[:2])
        fits = [tf.cast(shorter > r * (least - 1), tf.int32) for r in RATIOS]
        pixels = tf.switch_case(tf.add_n(fits), [at(r) for r in (1, *RATIOS)])
        return pixels, _orientation(tf, data)


def _orientation(tf: Any, data: Any) -> Any:
    """Returns EXIF's orientation, 1 to 8; 1 where there is none."""
    codes = tf.io.decode_raw(tf.strings.substr(data, 0, _SEARCHED), tf.uint8)
    codes = tf.concat([codes, tf.zeros([len(_EXIF)], tf.uint8)], 0)
    last = tf.size(codes) - len(_EXIF)

    def at(places: Any) -> Any:
        return tf.cast(tf.gather(codes, tf.clip_by_value(places, 0, last)), tf.int32)

    def first(there: Any, places: Any) -> Any:
        return tf.reduce_min(tf.where(there, places, _NOWHERE))

    marked = [codes[i : last + i] == code for i, code in enumerate(_EXIF)]
    start = first(reduce(tf.logical_and, marked), tf.range(last)) + len(_EXIF)

    def number(place: Any, count: int) -> Any:
        """Returns a number of `count` bytes, in the order that the file says."""
        read = [at(place + i) for i in range(count)]
        low = tf.add_n([byte * 256**i for i, byte in enumerate(read)])
        high = tf.add_n([byte * 256**i for i, byte in enumerate(reversed(read))])
        return tf.where(at(start) == ord("I"), low, high)

    table = start + number(start + 4, 4)
    # A damaged file may say any number.
    count = tf.where((table > start) & (table < last), number(table, 2), 0)
    entries = table + 2 + 12 * tf.range(tf.minimum(count, _SEARCHED // 12))
    found = first((number(entries, 2) == _ORIENTATION) & (entries < last), entries)
    turn = number(found + 8, 2)
    return tf.where((found < _NOWHERE) & (turn >= 1) & (turn <= 8), turn, 1)


def _upright(tf: Any, pixels: Any, turn: Any) -> Any:
    def when(turns: tuple[int, ...], change: Callable[[Any], Any], now: Any) -> Any:
        chosen = tf.reduce_any(turn == list(turns))
        return tf.cond(chosen, lambda: change(now), lambda: now)

    pixels = when((5, 6, 7, 8), lambda now: tf.transpose(now, [1, 0, 2]), pixels)
    pixels = when((2, 3, 6, 7), lambda now: now[:, ::-1], pixels)
    return when((3, 4, 7, 8), lambda now: now[::-1], pixels)


def _weights(tf: Any, length: Any, side: Any, size: int) -> Any:
    """Returns what pixels count in each of the result's, float32 [size, length]."""
    length = tf.cast(length, tf.float64)
    scale = side / size
    reach = tf.maximum(scale, 1.0)
    middle = (length - side) / 2 + (tf.range(size, dtype=tf.float64) + 0.5) * scale
    places = tf.range(length) + 0.5
    apart = tf.abs(places[None] - middle[:, None]) / reach
    weights = tf.cast(tf.maximum(1 - apart, 0), tf.float32)
    return weights / tf.reduce_sum(weights, 1, keepdims=True)
