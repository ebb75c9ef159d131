"""Ward's clustering, compiled: what `ward_reference` says, many times faster.

Distances stand in a square float32 matrix that BLAS fills. float32 decides only what it
can: where two distances are closer than its error, the clusters' centroids decide in
float64; where that happens too often (points that nearly coincide), the whole user is
done in float64.

Three things make it quick. The least of a row is sought among the bits of its numbers,
which sort like the numbers as long as these are not negative, since integers have a
vector minimum. Rows are an odd number of cache lines apart, so that a column does not
fall into one set of the cache. And when little more than half of the rows are alive,
they move together. Remembering a cluster's nearest would save nothing: a chain comes
back to a cluster only when its nearest was merged.
"""

from __future__ import annotations

import numpy as np

from recjax.extras import compiled
from recjax.users.kernels.bits import flip
from recjax.users.kernels.distances import FAST, padded, squared_difference, stride
from recjax.users.ward_reference import SAME, SAME_LENGTH

RELATIVE = 1e-5
"""Error of a float32 distance after all updates, as a share of it."""
ABSOLUTE = 4e-6
"""The same for distances near zero, as a share of the largest squared length."""
SHORT = 0.05
"""Heights below this share of the largest squared length are computed anew."""
PATIENCE = 6
"""How many points, as a multiple of m, are summed in float64 before all of it is."""


@compiled(**FAST)
def _least(bits, dead):
    """Returns the least of a row."""
    low = max(bits[0], dead[0])
    for j in range(len(bits)):
        low = min(low, max(bits[j], dead[j]))
    return low


@compiled(**FAST)
def _span(bits, dead, limit, index):
    """Returns the first and the last slot of a row that are at most `limit`."""
    first, last = index[-1], index[0]
    for j in range(len(bits)):
        within = max(bits[j], dead[j]) <= limit
        first = min(first, index[j] if within else first)
        last = max(last, index[j] if within else last)
    return first, last


@compiled(**FAST)
def _update(to_low, to_high, size, a, b, apart):
    """Writes the distances of the union over those of its second part."""
    one = to_low.dtype.type
    both = one(a + b)
    for j in range(len(to_low)):
        n = size[j]
        merged = (a + n) * to_low[j] + (b + n) * to_high[j] - n * apart
        to_high[j] = max(merged / (both + n), one(0))


@compiled(**FAST)
def _write_column(memory, column, pitch, values):
    for i in range(len(values)):
        memory[i * pitch + column] = values[i]


@compiled(**FAST)
def _compact(memory, places, pitch, to_pitch):
    """Moves rows and columns `places`, ascending, together: always to lower addresses.

    The `to_pitch` is not above the `pitch`.
    """
    n = len(places)
    for i in range(n):
        old = memory[places[i] * pitch :]
        new = memory[i * to_pitch :]
        for j in range(n):
            new[j] = old[places[j]]


@compiled(**FAST)
def _add_up(points, first, after, total):
    """Writes the sum of a cluster's points, which `after` links."""
    total[:] = 0
    i = first
    while i >= 0:
        for j in range(len(total)):
            total[j] += np.float64(points[i, j])
        i = after[i]


@compiled(**FAST)
def _between(clusters, low, high):
    """Returns the distance of the clusters in two slots from points, in float64."""
    points, names, size, ends, after, sums = clusters
    a, b = np.float64(size[low]), np.float64(size[high])
    _add_up(points, ends[names[low], 0], after, sums[0])
    _add_up(points, ends[names[high], 0], after, sums[1])
    sums[0] /= a
    sums[1] /= b
    return 2 * a * b / (a + b) * squared_difference(sums[0], sums[1])


@compiled(**FAST)
def _decide(clusters, line, dead, limit, end, before, first, scale, apart):
    """Returns which of the slots up to `limit` is nearest to `end`, and the cost."""
    size = clusters[2]
    least, cost = np.inf, 0
    for j in range(first, len(line)):
        if max(line[j], dead[j]) <= limit:
            cost += int(size[end] + size[j])
            apart[j] = _between(clusters, end, j)
            least = min(least, apart[j])
    least = least * (1 + SAME) + SAME_LENGTH * scale
    nearest = -1
    for j in range(first, len(line)):
        if max(line[j], dead[j]) <= limit and apart[j] <= least:
            if nearest < 0 or j == before:
                nearest = j
    return nearest, cost


@compiled(**FAST)
def chain(points, sizes, memory, bits, scale, sure, near_height, child, parent, height):
    """Merges all points; the matrix of distances is used up.

    Args:
      points: float32 [m, D].
      sizes: how many points each one stands for, float64 [m]; all 1 unless `sure`.
      memory: float32 or float64 [at least m * stride(m)], rows of squared distances.
      bits: the same memory as integers of its width.
      scale: largest squared length of a point.
      sure: the distances are good enough to decide (float64).
      near_height: heights close to this one are computed anew: it will cut the tree.
      child: where the merges are written, see `Tree`.
      parent: the same.
      height: the same.

    Returns:
      Whether it was done: else too much had to be decided in float64.
    """
    m, width = points.shape
    one = memory.dtype.type
    gone = flip(one(np.inf))
    relative = SAME if sure else RELATIVE
    absolute = scale * (SAME_LENGTH if sure else ABSOLUTE)
    short = 0.0 if sure else scale * SHORT
    patience = PATIENCE * m
    pitch = stride(m)
    wide = padded(m)
    size = np.zeros(wide, memory.dtype)
    size[:m] = sizes
    dead = np.full(wide, gone)
    dead[:m] = 0
    index = np.arange(wide).astype(bits.dtype)
    names = np.arange(m)
    ends = np.empty((m, 2), np.int64)
    ends[:, 0] = ends[:, 1] = np.arange(m)
    after = np.full(m, -1, np.int64)
    clusters = points, names, size, ends, after, np.empty((2, width))
    apart = np.empty(wide)
    stack = np.empty(m, np.int64)
    top = start = merges = 0
    n = alive = m
    while merges < m - 1:
        if top == 0:
            while dead[start]:
                start += 1
            stack[0] = start
            top = 1
        end = stack[top - 1]
        before = stack[top - 2] if top > 1 else -1
        base = end * pitch
        line = bits[base : base + wide]
        least = flip(_least(line, dead[:wide]))
        limit = flip(one(least * (1 + relative) + absolute))
        to, last = _span(line, dead[:wide], limit, index[:wide])
        if to != last:
            # The error of float32 may hide which is nearest.
            if not sure:
                to, cost = _decide(
                    clusters, line, dead[:wide], limit, end, before, to, scale, apart
                )
                patience -= cost
                if patience < 0:
                    return False
            elif before >= 0 and line[before] <= limit:
                to = before
        place = top - 2
        if to != before:
            while place >= 0 and stack[place] != to:
                place -= 1
        if place < 0:
            stack[top] = to
            top += 1
            continue
        # Where distances are the same but for rounding, a chain may come back further
        # than to the one before its end, as `ward_reference` says.
        top = place
        low, high = min(end, to), max(end, to)
        a, b = size[low], size[high]
        distance = np.float64(memory[base + to])
        if not sure and (
            distance < short or abs(distance - near_height) < RELATIVE * near_height
        ):
            patience -= int(a + b)
            if patience < 0:
                return False
            distance = _between(clusters, low, high)
        child[merges] = names[low]
        parent[merges] = names[high]
        height[merges] = distance
        merges += 1
        to_low = memory[low * pitch : low * pitch + wide]
        to_high = memory[high * pitch : high * pitch + wide]
        _update(to_low, to_high, size[:wide], a, b, one(distance))
        to_high[high] = np.inf
        size[low], size[high] = 0, a + b
        dead[low] = gone
        x, y = names[low], names[high]
        after[ends[y, 1]] = ends[x, 0]
        ends[y, 1] = ends[x, 1]
        _write_column(memory, high, pitch, to_high[:n])
        alive -= 1
        if alive < 0.55 * n and alive > 24:
            places = np.flatnonzero(dead[:n] == 0).astype(np.uint32)
            to_pitch = stride(alive)
            _compact(memory, places, pitch, to_pitch)
            moved = np.full(n, -1, np.int64)
            for i in range(alive):
                old = places[i]
                moved[old] = i
                size[i], names[i] = size[old], names[old]
            for i in range(top):
                stack[i] = moved[stack[i]]
            start, n, pitch, wide = 0, alive, to_pitch, padded(alive)
            dead[:n] = 0
            dead[n:wide] = gone
            size[n:wide] = 0
    return True
