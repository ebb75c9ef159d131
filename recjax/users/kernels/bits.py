"""Numbers as the integers of their bits and back, for code that numba compiles."""

from __future__ import annotations

from numba import types
from numba.extending import intrinsic

PARTNER = {
    types.float32: types.int32,
    types.float64: types.int64,
    types.int32: types.float32,
    types.int64: types.float64,
}


@intrinsic
def flip(context, value):
    """Returns a float as the integer of its bits, or an integer as the float."""
    other = PARTNER.get(value)
    if other is None:
        return None

    def generate(context, builder, signature, arguments):
        return builder.bitcast(
            arguments[0], context.get_value_type(signature.return_type)
        )

    return other(value), generate
