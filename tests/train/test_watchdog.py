"""A run in which no step ends is ended; one whose other host still compiles is not."""

import json
import threading

import pytest

from recjax.train import watchdog
from recjax.train.watchdog import Watchdog


@pytest.fixture
def ended(monkeypatch):
    """Pretends to have two hosts; is set where the run is ended."""
    found = threading.Event()

    def leave(status, text):
        found.set()
        raise SystemExit(status)  # Ends the watching thread alone.

    for name in ("POLL_SECONDS", "LAST_WORDS_SECONDS", "SPEAKER_SECONDS"):
        monkeypatch.setattr(watchdog, name, 0.01)
    monkeypatch.setattr(watchdog, "leave", leave)
    monkeypatch.setattr(watchdog.hosts, "alone", lambda: False)
    monkeypatch.setattr(watchdog.hosts, "post", lambda board, text: None)
    return found


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("other", "ends"), [("step", True), ("data", True), ("compile", False)]
)
def test_it_waits_for_a_host_that_compiles(ended, monkeypatch, other, ends):
    told = {1: json.dumps([other, 1, 0])}
    monkeypatch.setattr(watchdog.hosts, "posts", lambda board: dict(told))
    dog = Watchdog(0.05)
    dog.at("data", 1)
    dog.at("data", 2)
    dog.at("step", 2)
    assert ended.wait(5 if ends else 0.3) == ends
    dog.close()
