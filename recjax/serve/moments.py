"""Times as a caller gives them, and as states keep them."""

from __future__ import annotations

import numpy as np

from recjax.errors import UserError
from recjax.seconds import SECOND_NS

Moment = float | np.datetime64
"""Unix seconds, to the microsecond; or a time of NumPy, to the nanosecond."""


def nanoseconds(moment: Moment | None) -> int | None:
    """Returns a time as nanoseconds since 1970; None where there is none.

    Raises:
      UserError: it is no time.
    """
    if moment is None:
        return None
    try:
        if isinstance(moment, np.datetime64):
            return int(moment.astype("datetime64[ns]").astype(np.int64))
        if isinstance(moment, int):
            return moment * SECOND_NS
        # What a float has beyond is noise.
        return round(float(moment) * 1e6) * 1_000
    except (ValueError, TypeError, OverflowError) as error:
        raise UserError(f"timestamp {moment!r}: give unix seconds") from error
