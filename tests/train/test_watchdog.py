"""A run without steps is ended, unless a host compiles; who is late is named."""

import json
import threading
import time

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


@pytest.mark.parametrize("speaks", [True, False])
def test_a_host_that_is_late_is_named_by_one_that_waits(
    ended, monkeypatch, caplog, speaks
):
    places = {0: ("wait", 3, 1), 1: ("data", 3, 4), 2: ("wait", 3, 0)}
    told = {host: json.dumps(place) for host, place in places.items()}
    monkeypatch.setattr(watchdog.hosts, "posts", lambda board: told)
    monkeypatch.setattr(watchdog.hosts, "index", lambda: 0 if speaks else 2)
    monkeypatch.setattr(watchdog.hosts, "meet", lambda what, limit: time.sleep(0.4))
    dog = Watchdog(2.0)
    assert list(dog.together(iter("abcdefg"), 2, 7, 5)) == list("abcde")
    dog.close()
    said = [record.getMessage() for record in caplog.records]
    assert said == ["waiting for host 1 at data of step 3 for 4 s"] * speaks
    assert not ended.is_set()
