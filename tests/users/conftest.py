"""A small catalogue, and users with interests in it."""

import numpy as np
import polars as pl
import pytest

from recjax.index.item_vectors import ItemVectors, write_vectors

NOW = 1_700_000_000.0


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Returns a folder of 300 item vectors: 10 topics of 30 items."""
    rng = np.random.default_rng(0)
    topics = np.repeat(np.eye(10, 16), 30, 0)
    vectors = topics + 0.03 * rng.standard_normal(topics.shape)
    out = tmp_path_factory.mktemp("vectors")
    ids = [f"i{i}" for i in range(300)]
    write_vectors(out, ids, [f"Item {i} of {i // 30}" for i in range(300)], vectors)
    return out


@pytest.fixture(scope="session")
def items(folder):
    return ItemVectors.open(folder)


@pytest.fixture(scope="session")
def now():
    return NOW


@pytest.fixture(scope="session")
def events():
    """Returns events of 60 users, each with two or three topics."""
    rng = np.random.default_rng(1)
    rows = []
    for user in range(60):
        topics = rng.choice(10, rng.integers(1, 4), replace=False)
        for _ in range(int(rng.integers(1, 40))):
            item = rng.choice(topics) * 30 + rng.integers(30)
            rows.append((f"u{user}", f"i{item}", NOW - rng.integers(0, 80 * 86_400)))
    return pl.DataFrame(rows, ["user", "item", "timestamp"], orient="row")
