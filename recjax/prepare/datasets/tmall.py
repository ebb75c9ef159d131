"""Tmall (Alibaba Tianchi, IJCAI-15), as released with SHAN: research use only.

17,616 users, 116,869 sessions, 386,222 events, 48,804 items. A session is what a user
did on one day; only the order of events is known. Source: Ying et al. 2018, "Sequential
recommender system based on hierarchical attention network".
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recjax import fetch
from recjax.errors import UserError
from recjax.prepare.sessionize import event_tables, session_column
from recjax.prepare.write import Data
from recjax.text.column import pack

FILE = ("tmall", "sessions.csv")
URL = "https://github.com/chenghu17/Sequential_Recommendation"


def data() -> Data:
    """Returns the data.

    Raises:
      UserError: the raw file is missing or damaged.
    """
    how = "put sessions.csv (lines `user,item:item@item:item`, sessions parted by @; "
    how += f"from {URL})"
    return read(fetch.by_hand(*FILE, what="Tmall's raw data is", how=how))


def read(path: Path) -> Data:
    """Reads lines of `user,item:item@item`; the first says `users + 1,items`.

    Raises:
      UserError: a line is of another form, or the counts are not those announced.
    """
    lines = path.read_text().splitlines()
    try:
        announced = tuple(map(int, lines[0].split(",")))
    except (IndexError, ValueError) as error:
        raise _damaged(path, 1, lines[0] if lines else "", "users,items") from error
    user_ids, items, lengths, counts = [], [], [], []
    for row, line in enumerate(lines[1:], 2):
        user, comma, text = line.partition(",")
        try:
            sessions = [list(map(int, s.split(":"))) for s in text.split("@")]
        except ValueError as error:
            raise _damaged(path, row, line, "user,item:item@item") from error
        if not comma or min(map(min, sessions)) < 0:
            raise _damaged(path, row, line, "user,item:item@item")
        user_ids.append(user)
        counts.append(sum(map(len, sessions)))
        lengths += map(len, sessions)
        for session in sessions:
            items += session
    item = np.array(items, np.int32)
    found = len(user_ids) + 1, int(item.max(initial=-1)) + 1
    if found != announced or len(set(user_ids)) != len(user_ids):
        raise UserError(
            f"{path}: its first line announces {announced} users + 1 and items, it "
            f"holds {found}; it is cut short or changed. Fetch it again from {URL}."
        )
    first = np.zeros(len(item), bool)
    first[np.r_[0, np.cumsum(lengths)[:-1]]] = True
    return Data(
        event_tables(
            np.repeat(np.arange(len(user_ids), dtype=np.int32), counts),
            item,
            pack(user_ids),
            pack([str(number) for number in range(found[1])]),
            session_column(first),
        )
    )


def _damaged(path: Path, row: int, line: str, form: str) -> UserError:
    return UserError(
        f"{path}, row {row}: {line[:60]!r} is not of the form `{form}`. Fetch the file "
        f"again from {URL}."
    )
