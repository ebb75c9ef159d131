"""Whole logs of users through the step that serves them, several users at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from recjax.serve.user_state import ROWS, Arrays, Step


def replay(
    step: Step, empty: Arrays, logs: Sequence[Mapping[str, np.ndarray]]
) -> list[np.ndarray]:
    """Streams whole logs of users side by side through the step.

    Args:
      step: the step.
      empty: the memory of a user that nobody met.
      logs: of each user the item (from 1), position, age and gap of every event [E].

    Returns:
      Of each user the query before every event, f32[E, D].
    """
    out: list[np.ndarray] = []
    for start in range(0, len(logs), ROWS):
        part = logs[start : start + ROWS]
        length = max(len(log["item"]) for log in part)
        memory = {n: np.repeat(e[None], ROWS, 0) for n, e in empty.items()}
        columns = []
        for at in range(length):
            call = {
                name: _column(part, name, at, dtype)
                for name, dtype in (
                    *((n, np.int32) for n in ("item", "position", "age")),
                    ("gap", np.float32),
                )
            }
            made = step({**call, **memory})
            memory = {name: made[name] for name in empty}
            columns.append(np.asarray(made["user"]))
        whole = np.stack(columns, 1)
        out += [whole[i, : len(log["item"])] for i, log in enumerate(part)]
    return out


def _column(
    logs: Sequence[Mapping[str, np.ndarray]], name: str, at: int, dtype: type
) -> np.ndarray:
    """Returns event `at` of each row; rows without one repeat a harmless first."""
    column = np.full((ROWS, 1), int(name == "item"), dtype)
    for row, log in enumerate(logs):
        if at < len(log[name]):
            column[row] = log[name][at]
    return column
