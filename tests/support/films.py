"""Tables of users and items in memory."""

import numpy as np

from recjax.prepare import make
from recjax.tables.typed import TypedColumn


def tables(count, ids, titles, seconds=()):
    """Returns tables with the columns that experiments on next items read.

    `seconds` are the times of the events.
    """
    users, items = np.arange(count), np.arange(len(ids))
    user = make.entity(
        [*map(str, users)],
        make.number("age", 20 + users),
        make.category("gender", [("F", "M")[i % 2] for i in users]),
        make.category("occupation", [("artist", "other")[i % 2] for i in users]),
    )
    item = make.entity(
        ids,
        make.text("title", titles),
        make.categories("genres", [("Drama", "War")[: 1 + i % 2] for i in items]),
        make.number("year", 1990 + items),
        make.number("latitude", 40 + items / 100),
        make.number("longitude", items / 100 - 74),
        make.categories("category", [("7", "8", "9")[: 1 + i % 3] for i in items]),
    )
    moments = np.asarray(seconds, np.int64) * 1_000_000_000
    events = make.table(TypedColumn("timestamp", "timestamp", moments))
    return {"user": user, "item": item, "events": events}
