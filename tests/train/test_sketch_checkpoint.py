"""Sketches in checkpoints: the same when read back, and small on the disk."""

import jax
import jax.numpy as jnp
import numpy as np

from recjax.nn.sketch import CountMin
from recjax.train.checkpoint import Checkpoints


def test_a_sketch_is_saved_in_far_fewer_bytes_than_it_has(tmp_path):
    sketch = CountMin(1 << 21)
    ids = (5_000_000 ** np.random.default_rng(0).random(200_000)).astype(np.int32)
    counts = jax.jit(sketch.add)(sketch.empty(), jnp.asarray(ids))
    checkpoints = Checkpoints(tmp_path / "checkpoints", keep=1)
    checkpoints.save(1, {"counts": counts})
    checkpoints.settle(wait=True)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    saved = sum(path.stat().st_size for path in files)
    # Most cells are 0 and the rest small numbers, which compress well.
    assert saved < counts.cells.nbytes / 10
    blank = jax.tree.map(jnp.zeros_like, {"counts": counts})
    restored = checkpoints.restore(blank)
    checkpoints.close()
    np.testing.assert_array_equal(restored["counts"].cells, counts.cells)
    np.testing.assert_array_equal(restored["counts"].total, counts.total)
