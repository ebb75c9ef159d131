"""Globo.com "News Portal User Interactions" v2: clicks on news, October 2017.

Academic use; cite Moreira et al. 2018 ("News session-based recommendations using deep
neural networks") and 2019. Items with 50 clicks or more and users with 10 to 500 are
kept, both counted twice; sessions end after 30 idle minutes, as HierTCN's code has it.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from recjax import fetch
from recjax.errors import UserError
from recjax.prepare.sessionize import Filter, event_tables, idle_gaps, session_column
from recjax.prepare.write import Data
from recjax.seconds import SECOND_NS
from recjax.tables.typed import TypedColumn
from recjax.text.column import pack

FILE = ("globo", "globo_full.npz")
URL = "https://www.kaggle.com/datasets/gspmoreira/news-portal-user-interactions-by-globocom"
FILTER = Filter(item_events=50, user_events=10, most_user_events=500, passes=2)
GAP = 30 * 60


def data() -> Data:
    """Returns the data.

    Raises:
      UserError: the raw file is missing or damaged.
    """
    how = f"put {FILE[1]} (arrays user, item, ts_ms of the clicks of {URL}, sorted by "
    how += "user and time)"
    return read(fetch.by_hand(*FILE, what="Globo's raw data is", how=how))


def read(path: Path, keep: Filter = FILTER, gap: int = GAP) -> Data:
    """Reads clicks from an .npz archive.

    Args:
      path: holds user, item (whole numbers) and ts_ms (unix milliseconds), all [E].
      keep: which items and users stay.
      gap: seconds without a click that end a session.

    Raises:
      UserError: the file is damaged, or its arrays do not fit each other.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            user, item, when = (file[name] for name in ("user", "item", "ts_ms"))
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} is not the archive of Globo's clicks "
            f"({type(error).__name__}: {error}). Make it again from {URL}."
        ) from error
    if not len(user) == len(item) == len(when):
        raise UserError(f"{path}: {len(user)} users, {len(item)} items, {len(when)} ts")
    # Whole seconds, as the figures that others published for this data have it.
    when = when // 1_000
    order = np.lexsort((when, user))
    order = order[keep.keep(user[order], item[order])]
    user, item, when = user[order], item[order], when[order]
    users, user = np.unique(user, return_inverse=True)
    items, item = np.unique(item, return_inverse=True)
    tables = event_tables(
        user.astype(np.int32),
        item.astype(np.int32),
        pack([*map(str, users)]),
        pack([*map(str, items)]),
        session_column(idle_gaps(user, when, gap)),
        TypedColumn("timestamp", "timestamp", when * SECOND_NS),
    )
    return Data(tables, {"gap": gap})
