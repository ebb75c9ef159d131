"""Crop, resize, mirror and recolour in one pass over the pixels, compiled.

Bilinear with a filter as wide as the image shrinks, as Pillow's: the same pixels to one
level of 256. First columns are summed over rows, which lie side by side in memory; a
block of rows is then turned, so that summing over columns runs side by side as well.
"""

from __future__ import annotations

import numpy as np

from recjax.extras import compiled

BLOCK = 32
"""Rows that are turned at a time: they fit the first cache."""
HALF, LEAST, MOST = np.float32(0.5), np.float32(0), np.float32(255)


@compiled(nogil=True, fastmath=True)
def grey_mean(pixels, left, top, wide, tall, weights):
    """Returns the mean of the weighted colours of a box.

    Args:
      pixels: uint8 [H, W, 3].
      left: column at which the box begins; parts of pixels are rounded.
      top: row at which it begins.
      wide: its columns.
      tall: its rows.
      weights: of red, green and blue.
    """
    height, width = pixels.shape[0], pixels.shape[1]
    first, last = min(int(left + 0.5), width - 1), min(int(left + wide + 0.5), width)
    low, high = min(int(top + 0.5), height - 1), min(int(top + tall + 0.5), height)
    last, high = max(last, first + 1), max(high, low + 1)
    rows = pixels.reshape(height, width * 3)
    sums = np.zeros(3 * (last - first), np.uint32)
    for y in range(low, high):
        row = rows[y, 3 * first : 3 * last]
        for i in range(len(sums)):
            sums[i] += row[i]
    total = 0.0
    for c in range(3):
        total += weights[c] * np.sum(sums[c::3])
    return total / ((last - first) * (high - low))


@compiled(nogil=True, fastmath=True)
def _taps(low, span, size, limit):
    """Returns the first input [size] and the weights [size, taps] of each output."""
    scale = span / size
    reach = max(scale, 1.0)
    count = 2 * int(np.ceil(reach)) + 1
    first = np.empty(size, np.int64)
    weights = np.zeros((size, count), np.float32)
    for i in range(size):
        middle = low + (i + 0.5) * scale
        begin = max(int(middle - reach + 0.5), 0)
        end = min(int(middle + reach + 0.5), limit)
        first[i] = min(begin, max(limit - count, 0))
        total = 0.0
        for x in range(begin, end):
            weight = max(0.0, 1 - abs(x + 0.5 - middle) / reach)
            weights[i, x - first[i]] = weight
            total += weight
        for k in range(count):
            weights[i, k] /= total
    return first, weights


@compiled(inline="always", nogil=True, fastmath=True, error_model="numpy")
def _column(turned, begin, weights, sums):
    """Sums over the columns of one output pixel, for all rows of a block."""
    red, green, blue = sums[0], sums[1], sums[2]
    weight = weights[0]
    r, g, b = turned[begin], turned[begin + 1], turned[begin + 2]
    for i in range(BLOCK):
        red[i] = weight * r[i]
        green[i] = weight * g[i]
        blue[i] = weight * b[i]
    for k in range(1, len(weights)):
        weight = weights[k]
        begin += 3
        if weight != 0:
            r, g, b = turned[begin], turned[begin + 1], turned[begin + 2]
            for i in range(BLOCK):
                red[i] += weight * r[i]
                green[i] += weight * g[i]
                blue[i] += weight * b[i]


@compiled(inline="always", nogil=True, fastmath=True, error_model="numpy")
def _recolour(sums, colours, x, out):
    """Writes one output pixel of all rows of a block, colours changed."""
    red, green, blue = sums[0], sums[1], sums[2]
    for c in range(3):
        r, g, b, shift = colours[c, 0], colours[c, 1], colours[c, 2], colours[c, 3]
        to = out[3 * x + c]
        for i in range(BLOCK):
            value = r * red[i] + g * green[i] + b * blue[i] + shift + HALF
            to[i] = np.uint8(min(max(value, LEAST), MOST))


@compiled(nogil=True, fastmath=True, error_model="numpy")
def resample(pixels, left, top, wide, tall, size, mirror, colours):
    """Returns a box of an image at another size, mirrored and recoloured on request.

    Args:
      pixels: uint8 [H, W, 3], contiguous.
      left: column at which the box begins, parts of pixels included.
      top: row at which it begins.
      wide: its columns, above 0.
      tall: its rows, above 0.
      size: pixels a side of the result.
      mirror: turn left and right.
      colours: float32 [3, 4]; colours[:, :3] @ (red, green, blue) + colours[:, 3] is
        the new colour.

    Returns:
      uint8 [size, size, 3].
    """
    height, width = pixels.shape[0], pixels.shape[1]
    rows = pixels.reshape(height, width * 3)
    by_row, row_weights = _taps(top, tall, size, height)
    by_column, column_weights = _taps(left, wide, size, width)
    start = by_column[0]
    stop = min(by_column[size - 1] + column_weights.shape[1], width)
    line = np.zeros((BLOCK, 3 * (stop - start)), np.float32)
    turned = np.empty((3 * (stop - start), BLOCK), np.float32)
    sums, block = (
        np.empty((3, BLOCK), np.float32),
        np.empty((3 * size, BLOCK), np.uint8),
    )
    out = np.empty((size, 3 * size), np.uint8)
    for y in range(0, size, BLOCK):
        there = min(BLOCK, size - y)
        for i in range(there):
            to = line[i]
            to[:] = 0
            for k in range(row_weights.shape[1]):
                weight = row_weights[y + i, k]
                if weight != 0:
                    row = rows[by_row[y + i] + k, 3 * start : 3 * stop]
                    for j in range(len(to)):
                        to[j] += weight * np.float32(row[j])
        for j in range(len(turned)):
            to = turned[j]
            for i in range(BLOCK):
                to[i] = line[i, j]
        for x in range(size):
            _column(turned, 3 * (by_column[x] - start), column_weights[x], sums)
            _recolour(sums, colours, size - 1 - x if mirror else x, block)
        for i in range(there):
            to = out[y + i]
            for j in range(len(to)):
                to[j] = block[j, i]
    return out.reshape(size, size, 3)
