"""Clients that time each answer and look at it, beside a load that does neither."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

PAUSE = 0.02
"""Seconds between an answer and the next question of a client."""


class Seen(NamedTuple):
    """An answer: when it was asked for, status (0: none), seconds, text, ids, fault."""

    asked: float
    status: int
    seconds: float
    text: str
    ids: tuple[str, ...]
    fault: str = ""


class Probe:
    """Some clients, for as long as it is entered.

    Attributes:
      seen: what they were answered.
    """

    def __init__(
        self, port: int, path: str, texts: Sequence[str], k: int, clients: int = 4
    ) -> None:
        """Asks for `k` results of texts, in their order."""
        self._place, self._texts, self._k = (port, path), texts, k
        self.seen: list[Seen] = []
        self._going = True
        self._threads = [
            threading.Thread(target=self._run, args=(at, clients), daemon=True)
            for at in range(clients)
        ]

    def __enter__(self) -> Probe:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._going = False
        for thread in self._threads:
            thread.join()

    def _run(self, at: int, step: int) -> None:
        link = self._link()
        while self._going:
            text = self._texts[at % len(self._texts)]
            at += step
            asked, status, ids, fault = time.monotonic(), 0, (), ""
            body = json.dumps({"instances": [{"text": text, "k": self._k}]})
            try:
                link.request("POST", self._place[1], body)
                answer = link.getresponse()
                said = json.loads(answer.read())
                status = answer.status
                if status == 200:
                    ids = tuple(said["predictions"][0]["ids"])
            except (OSError, http.client.HTTPException) as error:
                fault = repr(error)
                link.close()
                link = self._link()
            took = time.monotonic() - asked
            self.seen.append(Seen(asked, status, took, text, ids, fault))
            time.sleep(PAUSE)
        link.close()

    def _link(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._place[0], timeout=10)

    def told(self, start: float = 0.0, end: float = np.inf) -> dict[str, Any]:
        """Returns the statuses, and milliseconds of what was answered, of some time."""
        some = [one for one in self.seen if start <= one.asked < end]
        took = [1e3 * one.seconds for one in some if one.status == 200]
        p50, p90, p99 = np.percentile(took or [np.nan], (50, 90, 99)).round(1).tolist()
        statuses = dict(Counter(one.status for one in some))
        return {
            "accepted_p50_ms": p50,
            "accepted_p90_ms": p90,
            "accepted_p99_ms": p99,
            "probe_statuses": statuses,
        }
