"""A table with a column of each type, missing values among them."""

import numpy as np

from recjax.prepare import make
from recjax.tables.typed import MISSING_TIME, Ragged, TypedColumn

ROWS = 23
START = 1_700_000_000
LABELS = ("red", "blue", "größe 3", "x" * 40)


def table(rows=ROWS, seed=0):
    """Returns the table; every value can be missing."""
    random = np.random.default_rng(seed)
    gone = random.random((8, rows)) < 0.2
    gone[:, 0] = False
    times = START * 10**9 + random.integers(0, 10**15, rows) * 1_000
    counts = np.where(gone[1], 0, random.integers(1, 4, rows))
    many = [random.choice(LABELS, n).tolist() for n in counts]
    vectors = np.where(gone[2], 0, random.integers(1, 3, rows))
    start, total = np.r_[0, np.cumsum(vectors)], int(vectors.sum())
    values = random.normal(size=(total, 3)).astype(np.float32)
    codes = random.integers(0, 256, (total, 2), np.uint8)
    words = random.choice(["red lamp", "blue shoe", "old hat"], rows)
    color = random.choice(LABELS, rows)
    price = random.lognormal(3, 2, rows)
    return make.entity(
        [f"i{i}" for i in range(rows)],
        make.category("color", np.where(gone[0], "", color)),
        make.categories("kinds", many),
        make.number("price", np.where(gone[3], np.nan, price)),
        make.text("title", np.where(gone[4], "", words)),
        TypedColumn("made", "timestamp", np.where(gone[5], MISSING_TIME, times)),
        TypedColumn("look", "vector", Ragged(start, values), width=3),
        TypedColumn("code", "bits", Ragged(start, codes), width=2),
    )
