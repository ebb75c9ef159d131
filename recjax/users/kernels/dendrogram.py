"""SciPy's table of a tree, compiled: in Python it outlasts the clustering."""

from __future__ import annotations

import numpy as np

from recjax.extras import compiled
from recjax.users.kernels.distances import FAST


@compiled(**FAST)
def write_linkage(child, parent, height, table):
    """Writes the merges by height into float64 [m - 1, 4], see `tree.linkage`."""
    points = len(child) + 1
    order = np.argsort(height, kind="mergesort")
    name, size = np.arange(points), np.ones(points)
    for row in range(points - 1):
        low, high = child[order[row]], parent[order[row]]
        size[high] += size[low]
        table[row, 0] = min(name[low], name[high])
        table[row, 1] = max(name[low], name[high])
        table[row, 2] = np.sqrt(height[order[row]])
        table[row, 3] = size[high]
        name[high] = points + row
