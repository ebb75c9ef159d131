"""BLAS's symmetric product of a matrix with itself, for code that numba compiles.

numba's own `np.dot` multiplies all pairs; `ssyrk` does the half.
"""

from __future__ import annotations

import llvmlite.binding as llvm
import numpy as np
from numba import types
from numba.extending import get_cython_function_address

from recjax.extras import compiled

NAME = "recjax_ssyrk"
# By name, not by address: compiled code that comes from the cache finds it again.
llvm.add_symbol(NAME, get_cython_function_address("scipy.linalg.cython_blas", "ssyrk"))
_ssyrk = types.ExternalFunction(NAME, types.void(*[types.voidptr] * 10))


@compiled(nogil=True)
def lower_products(points, out):
    """Writes -2 <x, y> of all pairs into the lower triangle of `out`, diagonal too.

    Args:
      points: float32 [m, D], contiguous.
      out: float32 [m, at least m], contiguous.
    """
    words = np.empty(2, np.uint8)
    # Fortran counts columns first: its upper triangle is the lower one here.
    words[0], words[1] = ord("U"), ord("T")
    sizes = np.empty(4, np.int32)
    sizes[0], sizes[1] = points.shape
    sizes[2], sizes[3] = points.shape[1], out.shape[1]
    factors = np.empty(2, np.float32)
    factors[0], factors[1] = -2, 0
    _ssyrk(
        words.ctypes,
        words[1:].ctypes,
        sizes.ctypes,
        sizes[1:].ctypes,
        factors.ctypes,
        points.ctypes,
        sizes[2:].ctypes,
        factors[1:].ctypes,
        out.ctypes,
        sizes[3:].ctypes,
    )
