"""One thread that answers: it takes what has come, and asks for it all at once.

A batch is filled up to the next of the bundle's sizes, all of which were compiled
before; nothing waits for a batch to become full unless it is told to.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import jax
import numpy as np

from recjax.bundle.contract import Columns, Signature, padded
from recjax.serve.http.limits import RefusedError

log = logging.getLogger(__name__)
STAGES = ("queue", "encode", "embed", "search")


@dataclass(frozen=True)
class Answer:
    """Columns of rows, and the seconds that each of `STAGES` took."""

    columns: Columns
    seconds: tuple[float, ...]


Done = Callable[[Answer | Exception], None]


@dataclass
class Work:
    """A request that waits.

    Attributes:
      signature: what is asked.
      sizes: numbers of rows that it was compiled for.
      columns: as the signature has read them.
      rows: their number.
      deadline: time of `time.monotonic` after which nobody waits.
      done: is told the `Answer`, or the exception that is there in its place.
      loop: in which it is told; None: in the batcher's thread.
    """

    signature: Signature
    sizes: Sequence[int]
    columns: Columns
    rows: int
    deadline: float
    done: Done = lambda answer: None
    loop: asyncio.AbstractEventLoop | None = None
    came: float = field(default_factory=time.monotonic)


class Batcher:
    """Answers works in a thread of its own."""

    def __init__(
        self,
        wait_us: int = 0,
        observe: Callable[[int, Sequence[float]], None] = lambda rows, seconds: None,
    ) -> None:
        """Starts the thread.

        Args:
          wait_us: microseconds that a batch waits for more, once its first has come.
          observe: is told the rows of each batch, and what its oldest request took of
            each of `STAGES`.
        """
        self._wait, self._observe = wait_us / 1e6, observe
        self._come: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._waiting: deque[Work] = deque()
        self._going = True
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self._thread.start()

    def submit(self, work: Work) -> None:
        """Hands a work over; `done` of it is told later."""
        self._come.put(work)

    def stop(self) -> None:
        """Ends the thread once all that came before is answered."""
        self._come.put(None)
        self._thread.join()

    def _run(self) -> None:
        while self._going or self._waiting:
            self._gather()
            self._step()

    def _step(self) -> None:
        """Answers a batch; nothing holds its model while the next is waited for."""
        batch = self._take()
        if not batch:
            return
        answers = self._answers(batch)
        if isinstance(first := answers[0], Answer):
            self._observe(sum(work.rows for work in batch), first.seconds)
        self._deliver(batch, answers)

    def _gather(self) -> None:
        """Takes all works that have come; waits for the first."""
        if not self._waiting:
            self._keep(self._come.get())
        until = time.monotonic() + self._wait
        while self._going:
            left = until - time.monotonic()
            try:
                more = self._come.get(left > 0, max(left, 0))
            except queue.Empty:
                return
            self._keep(more)

    def _keep(self, work: Work | None) -> None:
        if work is None:
            self._going = False
        else:
            self._waiting.append(work)

    def _take(self) -> list[Work]:
        """Returns the oldest work, and as many others of its kind as fit beside it."""
        now, late = time.monotonic(), []
        taken: list[Work] = []
        left: deque[Work] = deque()
        rows = 0
        for work in self._waiting:
            fits = not taken or work.signature is taken[0].signature
            if work.deadline < now:
                late.append(work)
            elif fits and (not taken or rows + work.rows <= work.sizes[-1]):
                taken.append(work)
                rows += work.rows
            else:
                left.append(work)
        self._waiting = left
        why = RefusedError(504, "the deadline passed before there was an answer")
        self._deliver(late, [why] * len(late))
        return taken

    def _answers(self, batch: list[Work]) -> list[Answer | Exception]:
        try:
            return [*answered(batch)]
        except Exception as error:
            if len(batch) == 1:
                log.exception("no answer")
                return [error]
        # One of them is at fault; the others get their answers.
        return [self._answers([work])[0] for work in batch]

    @staticmethod
    def _deliver(batch: list[Work], answers: Sequence[Answer | Exception]) -> None:
        """Tells the answers to a batch, in the loop that waits for them."""

        def tell() -> None:
            for work, answer in zip(batch, answers, strict=True):
                work.done(answer)

        loop = batch[0].loop if batch else None
        if loop is None:
            tell()
        else:
            try:
                loop.call_soon_threadsafe(tell)
            except RuntimeError:  # The loop is closed: nobody waits any more.
                log.info("%d requests were left when the server ended", len(batch))


def answered(batch: Sequence[Work]) -> list[Answer]:
    """Returns the answers to works of one signature, asked together."""
    start = time.monotonic()
    signature, counts = batch[0].signature, [work.rows for work in batch]
    columns = {
        name: [value for work in batch for value in work.columns[name]]
        for name in batch[0].columns
    }
    rows = sum(counts)
    size = next((size for size in batch[0].sizes if size >= rows), rows)
    arrays = padded(signature.encode(columns, rows), size)
    encoded = time.monotonic()
    made = jax.tree.map(lambda a: np.asarray(a)[:rows], signature.call(arrays))
    embedded = time.monotonic()
    found = signature.finish(made, columns)
    end = time.monotonic()
    answers, at = [], 0
    for work, count in zip(batch, counts, strict=True):
        own = {name: values[at : at + count] for name, values in found.items()}
        stages = start - work.came, encoded - start, embedded - encoded, end - embedded
        answers.append(Answer(own, stages))
        at += count
    return answers
