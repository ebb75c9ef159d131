"""Times as a caller gives them, as states keep them, and as they cut sessions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from recjax.data.sessions.rules import SessionRules
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


COUNTS = ("position", "age", "open", "last", "gap")
"""What a state holds of a user's events: see `UserStates`."""


def place(
    held: Mapping[str, Any],
    rules: SessionRules,
    user: str,
    when: int | None,
    new_session: bool,
) -> dict[str, Any]:
    """Returns position, age and gap of an event now.

    Args:
      held: the user's `COUNTS`.
      rules: when a session ends.
      user: whose event it is, for messages.
      when: nanoseconds since 1970, if known.
      new_session: it starts a session, whatever the time.

    Raises:
      UserError: it is older than the user's last event.
    """
    last = held["last"]
    if when is None or not held["age"] or last < 0:
        when = last = 0
    if when < last:
        was, is_ = (str(np.datetime64(at, "ns")) for at in (last, when))
        raise UserError(
            f"event of user {user!r} at {is_}: the last one was at {was}; feed events "
            "in the order of their time"
        )
    idle = rules.gap is not None and when - last >= rules.gap * SECOND_NS
    full = rules.longest is not None and held["position"] >= rules.longest
    if held["open"] and not (new_session or idle or full):
        # The gap is that before the session: what has decayed stays so inside it.
        return {name: held[name] for name in ("position", "age", "gap")}
    # As data has them: in whole seconds.
    gap = when // SECOND_NS - last // SECOND_NS
    return {"position": 0, "age": held["age"], "gap": gap}
