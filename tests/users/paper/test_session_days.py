"""What a session model knows at the beginning of each day."""

import numpy as np

from recjax.bundle.session_state import SessionState
from recjax.index.item_vectors import ItemVectors
from recjax.seconds import DAY
from recjax.serve.user_state import UserStates
from recjax.users.paper.session_days import daily_queries


def counting(arrays):
    """Returns how often a user met each of three items, before the event."""
    before = arrays["memory_count"]
    met = np.eye(4, dtype=np.float32)[arrays["item"][:, 0]][:, 1:]
    return {"user": before, "memory_count": before + met}


def states():
    empty = {"memory_count": np.zeros(3, np.float32)}
    ids = ("a", "b", "c")
    items = ItemVectors(ids, ids, np.eye(3, dtype=np.float32))
    return UserStates(counting, items, SessionState(empty))


def test_a_day_has_seen_what_was_before_it():
    begin = 10 * DAY
    rows = [
        (1, "a", begin - 5),
        (1, "b", begin + 1),
        (1, "unknown", begin + 2),
        (1, "b", begin + DAY),
        (1, "c", begin + DAY + 7),
        (1, "c", begin + 4 * DAY),
        (2, "a", begin + 2),
        (2, "b", begin + 3),
        (2, "a", begin + DAY + 2),
        (3, "unknown", begin - 1),
        (3, "a", begin + DAY),
    ]
    user, item, time = zip(*rows, strict=True)
    found = daily_queries(states(), user, item, np.array(time), begin, 4)
    assert {key: query.tolist() for key, query in found.items()} == {
        (1, 0): [[1, 0, 0]],
        (1, 1): [[1, 1, 0]],
        (2, 1): [[1, 1, 0]],
    }
