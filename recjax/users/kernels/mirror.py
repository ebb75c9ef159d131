"""Blocks of a symmetric matrix, written on both sides at once as vector code.

numba cannot turn a block around inside the processor's registers: a loop that does it
element by element takes six times as long, and was a sixth of a user's clustering.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

BLOCK = 8
"""Rows and columns of a block: float32 numbers of one AVX register."""

_FLOAT, _INT, _SIZE = ir.FloatType(), ir.IntType(32), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, BLOCK)
_ORDER = ir.VectorType(_INT, BLOCK)


@intrinsic
def lift_and_mirror(context, square, below, above, pitch, own, other):
    """Turns a block of -2 <x, y> into squared distances, there and in its mirror image.

    Args:
      context: numba's.
      square: float32, the whole matrix, flat.
      below: where the block begins, int64.
      above: where its mirror image begins, int64.
      pitch: numbers from row to row, int64.
      own: squared lengths of the block's rows, float32 [BLOCK].
      other: squared lengths of its columns, float32 [BLOCK].
    """

    def generate(context, builder, signature, arguments):
        kinds = signature.args
        base, own, other = (
            cgutils.create_struct_proxy(kinds[i])(context, builder, arguments[i]).data
            for i in (0, 4, 5)
        )
        below, above, pitch = arguments[1:4]
        others = _load(builder, base=other, place=_SIZE(0))
        rows = []
        for i in range(BLOCK):
            place = builder.add(below, builder.mul(pitch, _SIZE(i)))
            length = builder.load(builder.gep(own, [_SIZE(i)]))
            sums = builder.fadd(others, _spread(builder, length))
            row = builder.fadd(_load(builder, base, place), sums)
            zero = ir.Constant(_VECTOR, [0.0] * BLOCK)
            row = builder.select(builder.fcmp_ordered(">", row, zero), row, zero)
            _store(builder, row, base, place)
            rows.append(row)
        for i, row in enumerate(_transposed(builder, rows)):
            place = builder.add(above, builder.mul(pitch, _SIZE(i)))
            _store(builder, row, base, place)
        return context.get_dummy_value()

    return types.void(square, below, above, pitch, own, other), generate


def _transposed(builder, rows: list) -> list:
    """Returns the columns: halves change places, then halves of halves, and so on."""
    rows = list(rows)
    step = BLOCK // 2
    while step:
        low = [i if not i & step else BLOCK + i - step for i in range(BLOCK)]
        high = [i + step if not i & step else BLOCK + i for i in range(BLOCK)]
        for i in (i for i in range(BLOCK) if not i & step):
            pair = rows[i], rows[i + step]
            rows[i] = builder.shuffle_vector(*pair, ir.Constant(_ORDER, low))
            rows[i + step] = builder.shuffle_vector(*pair, ir.Constant(_ORDER, high))
        step //= 2
    return rows


def _spread(builder, number):
    """Returns a vector that holds one number everywhere."""
    empty = ir.Constant(_VECTOR, ir.Undefined)
    vector = builder.insert_element(empty, number, _INT(0))
    return builder.shuffle_vector(vector, empty, ir.Constant(_ORDER, [0] * BLOCK))


def _load(builder, base, place):
    vector = builder.load(_at(builder, base, place))
    vector.align = 4
    return vector


def _store(builder, vector, base, place) -> None:
    builder.store(vector, _at(builder, base, place)).align = 4


def _at(builder, base, place):
    return builder.bitcast(builder.gep(base, [place]), _VECTOR.as_pointer())
