"""Amazon's reviews of toys and games as sequences: research use only.

167,597 events of 19,412 users, each with 5 or more, on 11,924 items, of which each has
the numbers of its categories; only the order of a user's events is known. Source: Zhou
et al. 2020, "S3-Rec: Self-supervised learning for sequential recommendation with mutual
information maximization", of the reviews of McAuley et al. 2015.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from recjax import fetch
from recjax.errors import UserError
from recjax.prepare import make
from recjax.prepare.write import Data

FOLDER = "s3rec_toys"
FILES = ("Toys_and_Games.txt", "Toys_and_Games_item2attributes.json")
URL = "https://github.com/RUCAIBox/CIKM2020-S3Rec/tree/master/data"


def data() -> Data:
    """Returns the data.

    Raises:
      UserError: a raw file is missing or damaged.
    """
    how = f"put {FILES[0]} and {FILES[1]} (from {URL})"
    what = "S3-Rec's raw data is"
    found = [fetch.by_hand(FOLDER, name, what=what, how=how) for name in FILES]
    return read(*found)


def read(sequences: Path, attributes: Path) -> Data:
    """Reads lines of `user item item ...` and {item: [category, ...]}.

    Raises:
      UserError: a line is of another form, a user comes twice, or an item has no
        categories.
    """
    users, items, counts = [], [], []
    for row, line in enumerate(sequences.read_text().splitlines(), 1):
        user, *met = line.split() or [""]
        if not met or not all(word.isdecimal() for word in (user, *met)):
            raise UserError(
                f"{sequences}, row {row}: {line[:60]!r} is not of the form `user item "
                f"item ...`. Fetch the file again from {URL}."
            )
        users.append(user)
        items += met
        counts.append(len(met))
    try:
        known = json.loads(attributes.read_text())
        categories = {item: [*map(str, numbers)] for item, numbers in known.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise UserError(
            f"{attributes}: not {{item: [category, ...]}} ({error}). Fetch it again "
            f"from {URL}."
        ) from error
    ids = list(dict.fromkeys(items))
    lost = [item for item in ids if item not in categories]
    if lost or len(set(users)) != len(users):
        what = f"item {lost[0]} has no categories" if lost else "a user comes twice"
        raise UserError(f"{sequences}: {what}. Fetch both files again from {URL}.")
    item = make.entity(ids, make.categories("category", [categories[i] for i in ids]))
    user = make.entity(users)
    number = {name: at for at, name in enumerate(ids)}
    codes = np.array([number[name] for name in items], np.int32)
    whose = np.repeat(np.arange(len(users), dtype=np.int32), counts)
    events = make.table(
        make.refers("user", whose, user), make.refers("item", codes, item)
    )
    return Data({"user": user, "item": item, "events": events})
