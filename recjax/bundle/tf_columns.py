"""Columns of a query as TensorFlow graphs, equal to `recjax.data.column_inputs`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from recjax.bundle import tf_images, tf_ops
from recjax.bundle.saved_model import utf8
from recjax.data.column_inputs import (
    PARTS,
    BucketInput,
    CategoryInput,
    ColumnInput,
    NumberInput,
    TimeInput,
)
from recjax.data.image_input import ImageInput
from recjax.images.augment import CenterCrop
from recjax.images.decode import example_image
from recjax.seconds import DAY, HOUR
from recjax.text.hashing import KEY


def encoder(tf: Any, kind: ColumnInput) -> Any:
    """Returns a callable: a tensor of raw values -> the feature [B, ...]."""
    if isinstance(kind, CategoryInput):
        return _category(tf, kind)
    if isinstance(kind, NumberInput):
        return _module(tf, partial(_number, tf, kind))
    if isinstance(kind, BucketInput):
        return _module(tf, partial(_bucket, tf, kind))
    if isinstance(kind, TimeInput):
        return _module(tf, partial(_time, tf, kind))
    if isinstance(kind, ImageInput):
        return _module(tf, _photographs(tf, kind))
    return _module(tf, partial(_vectors, tf, kind.bits))


def _module(tf: Any, function: Callable[[Any], Any]) -> Any:
    class Plain(tf.Module):
        def __call__(self, raw: Any) -> Any:
            return function(raw)

    return Plain()


def _category(tf: Any, kind: CategoryInput) -> Any:
    class Category(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = tf_ops.hash_table(tf, utf8(kind.labels), 1)

        def __call__(self, raw: Any) -> Any:
            found = self.table.lookup(raw)
            if kind.buckets:
                strong = tf.strings.to_hash_bucket_strong
                hashed = tf.cast(strong(raw, kind.buckets, list(KEY)), tf.int32) + 1
                found = tf.where(raw == "", 0, hashed)
            if not kind.many:
                return found[:, None]
            rows, columns = tf.unstack(tf.shape(found, tf.int64))
            row = tf.repeat(tf.range(rows), columns)
            packed = tf_ops.left_packed(tf, tf.reshape(found, [-1]), row, rows)
            return packed.to_tensor(shape=[None, kind.length])

    return Category()


def _photographs(tf: Any, kind: ImageInput) -> Callable[[Any], Any]:
    """Returns JPEGs, string[B], "" for none -> pixels."""
    crops = tf_images.center_crops(tf, CenterCrop(kind.share), kind.size, kind.column)
    instead = example_image()

    def pixels(raw: Any) -> Any:
        missing = raw == ""
        made = crops(tf.where(missing, instead, raw))
        return tf.where(missing[:, None, None, None], tf.zeros_like(made), made)

    return pixels


def _number(tf: Any, kind: NumberInput, raw: Any) -> Any:
    missing = tf.math.is_nan(raw)
    made = (raw - np.float32(kind.mean)) / np.float32(kind.deviation)
    known = tf.where(missing, 0.0, made)
    return tf.stack([known, tf.cast(missing, tf.float32)], 1)


def _bucket(tf: Any, kind: BucketInput, raw: Any) -> Any:
    edges = tf.constant(kind.edges, tf.float32)
    row = tf.searchsorted(edges, raw, side="right") + 1
    return tf.where(tf.math.is_nan(raw), 0, row)[:, None]


def _time(tf: Any, kind: TimeInput, raw: Any) -> Any:
    missing, size = tf.math.is_nan(raw), PARTS[kind.part]
    known = tf.where(missing, tf.zeros_like(raw), raw)
    if kind.part == "hour":
        at = tf.math.floormod(known, np.float64(DAY)) / HOUR
    else:
        days = tf.math.floor(known / DAY)
        at = tf.math.floormod(days + 3, np.float64(7))
    if kind.rows:
        row = tf.cast(tf.minimum(tf.math.floor(at), size - 1), tf.int32) + 1
        return tf.where(missing, 0, row)[:, None]
    angle = 2 * np.pi * at / size
    circle = tf.cast(tf.stack([tf.sin(angle), tf.cos(angle)], 1), tf.float32)
    return tf.where(missing[:, None], 0.0, circle)


def _vectors(tf: Any, bits: bool, raw: Any) -> Any:
    if bits:
        there = raw[:, :, 0] >= 0
        spread = tf.bitwise.right_shift(raw[..., None], tf.range(7, -1, -1)) & 1
        shape = tf.shape(raw)
        flat = [shape[0], shape[1], 8 * raw.shape[2]]
        raw = tf.cast(tf.reshape(spread, flat), tf.float32)
    else:
        there = ~tf.math.is_nan(raw[:, :, 0])
    held = tf.where(there[:, :, None], raw, 0.0)
    count = tf.reduce_sum(tf.cast(there, tf.float32), 1, keepdims=True)
    mean = tf.reduce_sum(held, 1) / tf.maximum(count, 1.0)
    return tf.concat([mean, tf.cast(count == 0, tf.float32)], 1)
