"""How a process ends when something goes wrong."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from recjax.launch import join


def leave(status: int, why: object, shown: Exception | None = None) -> None:
    """Ends a process of several at once; a process alone goes on and ends as ever."""
    if join.joined() and shown is not None:
        traceback.print_exception(shown)
    join.leave(status, f"recjax: error: {why}")


def unraisable(before: Callable, told: Any) -> None:
    """Shows what a callback raised, but not how TensorStore's end after a failed write.

    They tell a loop that is closed; the failure itself is raised.
    """
    closed = isinstance(told.exc_value, RuntimeError)
    if not (closed and str(told.exc_value) == "Event loop is closed"):
        before(told)
