"""A cache of its own for each test, and a small file of events."""

import pytest
from preparing import HEAD, log


@pytest.fixture
def own_cache(monkeypatch, tmp_path):
    """The cache's folder."""
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def events(tmp_path):
    """Three events of two users, as a CSV."""
    path = tmp_path / "events.csv"
    path.write_text(HEAD + log(("u1", "i1", 10), ("u1", "i2", 20), ("u2", "i1", 30)))
    return path
