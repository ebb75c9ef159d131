"""Packing: users one after the other, in rows of static shape, addressed by step.

A batch has `B` rows. Behind each stands a queue of users; each batch takes some
sessions from the front of every queue, so the state that a model has after a row is
what it needs at its start in the next batch. An epoch is planned as a whole from (seed,
epoch): a plan is an order of sessions and the bounds of rows in it, so batch `s` is a
pure function of `s` and a resumed run needs nothing but its step.
"""

from __future__ import annotations

import heapq
import threading
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recjax import rng
from recjax.data.sessions.runs import Runs
from recjax.errors import UserError

PAD = -1


@dataclass(frozen=True)
class Packed:
    """Sessions stand end to end; a row takes as many as fit.

    Attributes:
      rows: `B`.
      events: positions of a row; no session may be longer.
      sessions: most sessions of a row.
    """

    rows: int = 32
    events: int = 48
    sessions: int = 24
    padded = False

    def load(self, lengths: np.ndarray) -> np.ndarray:
        """Returns the events of each session."""
        return lengths

    def column(self, lengths: np.ndarray) -> np.ndarray:
        """Returns the position of each session's first event in its row [B, S]."""
        return np.cumsum(lengths, axis=1) - lengths

    def row_ends(
        self, start: np.ndarray, stop: np.ndarray, total: np.ndarray
    ) -> np.ndarray:
        """Returns where rows end; `total[i]` is the number of events before i."""
        full = np.searchsorted(total, total[start] + self.events, side="right") - 1
        return np.minimum(np.minimum(full, start + self.sessions), stop)


@dataclass(frozen=True)
class Queue:
    """HierTCN's own (section 3.4): K sessions a row, each padded to one length.

    The paper pads to the longest of the sessions that share a slot, which is no static
    shape; `paper_slots` counts what that takes.

    Attributes:
      rows: `B`.
      sessions: sessions of a row, the paper's K.
      length: positions of a session; no session may be longer.
    """

    rows: int = 32
    sessions: int = 10
    length: int = 20
    padded = True

    @property
    def events(self) -> int:
        """Positions of a row."""
        return self.sessions * self.length

    def load(self, lengths: np.ndarray) -> np.ndarray:
        """Returns 1 for each session."""
        return np.ones_like(lengths)

    def column(self, lengths: np.ndarray) -> np.ndarray:
        """Returns the position of each session's first event in its row [B, S]."""
        return np.broadcast_to(np.arange(self.sessions) * self.length, lengths.shape)

    def row_ends(
        self, start: np.ndarray, stop: np.ndarray, total: np.ndarray
    ) -> np.ndarray:
        """Returns where rows end."""
        del total
        return np.minimum(start + self.sessions, stop)


Layout = Packed | Queue
"""How sessions lie in a row of `events` positions, at most `sessions` of them."""


def paper_slots(lengths: np.ndarray) -> int:
    """Returns the positions that the paper pads a batch to, lengths i[B, S]."""
    return int(lengths.max(axis=0).sum() * lengths.shape[0])


@dataclass(frozen=True)
class Grid:
    """The sessions and events of one batch.

    Attributes:
      session: session of each slot i64[B, S]; `PAD` where there is none.
      fresh: whether the slot's session is the first of its run, bool[B, S].
      run_event: first event of the run that each slot belongs to, i64[B, S].
      event: event of each position i64[B, T]; `PAD` where there is none.
      slot: slot of each position, i32[B, T]; 0 where there is no event.
    """

    session: np.ndarray
    fresh: np.ndarray
    run_event: np.ndarray
    event: np.ndarray
    slot: np.ndarray


@dataclass(frozen=True)
class EpochPlan:
    """One pass over all runs.

    Attributes:
      layout: the layout.
      session_start: the data's session offsets i64[S + 1].
      order: sessions, queue after queue.
      run_first: first session of the run of each of them.
      bounds: i64[steps + 1, B]: row b of batch s holds
        `order[bounds[s, b]:bounds[s + 1, b]]`.
    """

    layout: Layout
    session_start: np.ndarray
    order: np.ndarray
    run_first: np.ndarray
    bounds: np.ndarray

    @property
    def steps(self) -> int:
        """Batches of the pass."""
        return len(self.bounds) - 1

    @cached_property
    def fill(self) -> float:
        """Events over positions, over the whole pass."""
        start = self.session_start
        events = (start[self.order + 1] - start[self.order]).sum()
        return float(events / (self.steps * self.layout.rows * self.layout.events))

    def grid(self, step: int, rows: slice = slice(None)) -> Grid:
        """Returns the sessions and events of a batch, of some rows."""
        first, last = self.bounds[step][rows], self.bounds[step + 1][rows]
        slots = np.arange(self.layout.sessions)[None]
        filled = slots < (last - first)[:, None]
        position = np.where(filled, first[:, None] + slots, 0)
        session = np.where(filled, self.order[position], PAD)
        run_first = self.run_first[position]
        start = self.session_start[session]
        lengths = np.where(filled, self.session_start[session + 1] - start, 0)
        column = self.layout.column(lengths)
        shape = len(first), self.layout.events
        event = np.full(shape, PAD, np.int64)
        slot = np.zeros(shape, np.int32)
        row, which = np.nonzero(filled)
        count = lengths[filled]
        inside = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        into = np.repeat(row, count)
        columns = np.repeat(column[filled], count) + inside
        event[into, columns] = np.repeat(start[filled], count) + inside
        slot[into, columns] = np.repeat(which, count)
        return Grid(
            session=session,
            fresh=filled & (session == run_first),
            run_event=self.session_start[run_first],
            event=event,
            slot=slot,
        )


def make_plan(
    layout: Layout,
    session_start: np.ndarray,
    runs: Runs,
    seed: int | None = None,
    epoch: int = 0,
) -> EpochPlan:
    """Plans one pass: each run goes to the shortest queue.

    Args:
      layout: the layout.
      session_start: the data's session offsets.
      runs: what to stream.
      seed: of the order of the runs; None keeps it.
      epoch: number of the pass.

    Raises:
      UserError: a session is longer than a row has room for.
    """
    order = np.arange(len(runs))
    if seed is not None:
        order = rng.host_stream(seed, "lanes", epoch).permutation(len(runs))
    first, count = runs.first[order], runs.count[order]
    session, run_first = _spread(first, count)
    lengths = session_start[session + 1] - session_start[session]
    longest = getattr(layout, "length", layout.events)
    if len(lengths) and lengths.max() > longest:
        at = session[int(lengths.argmax())]
        raise UserError(
            f"session {at} has {lengths.max()} events, a row has room for "
            f"{longest}: raise it, or prepare the data with a `longest` session"
        )
    before = np.r_[0, np.cumsum(layout.load(lengths))]
    ends = np.cumsum(count)
    row = _shortest_queue(before[ends] - before[ends - count], layout.rows)
    by_row = np.argsort(row, kind="stable")
    session, run_first = _spread(first[by_row], count[by_row])
    lengths = session_start[session + 1] - session_start[session]
    of_row = np.bincount(row, count, minlength=layout.rows).astype(np.int64)
    stop = np.cumsum(of_row)
    bounds, total = [stop - of_row], np.r_[0, np.cumsum(lengths)]
    while (bounds[-1] < stop).any():
        bounds.append(layout.row_ends(bounds[-1], stop, total))
    return EpochPlan(layout, session_start, session, run_first, np.array(bounds))


def _spread(first: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns every session of each run, and the first session of that run."""
    start = np.cumsum(count) - count
    run_first = np.repeat(first, count)
    return run_first + np.arange(count.sum()) - np.repeat(start, count), run_first


def _shortest_queue(loads: np.ndarray, rows: int) -> np.ndarray:
    queues = [(0, row) for row in range(rows)]
    out = np.zeros(len(loads), np.int64)
    for position, load in enumerate(loads.tolist()):
        length, row = queues[0]
        heapq.heapreplace(queues, (length + load, row))
        out[position] = row
    return out


class Epochs:
    """Plans pass after pass; finds the pass and the batch of a step."""

    def __init__(
        self, layout: Layout, session_start: np.ndarray, runs: Runs, seed: int
    ) -> None:
        """Plans nothing yet."""
        self._planned = layout, np.asarray(session_start), runs, seed
        self._ends: list[int] = []
        self._kept: tuple[int, EpochPlan] | None = None
        self._lock = threading.Lock()  # Several threads make batches ahead.

    def at(self, step: int) -> tuple[EpochPlan, int]:
        """Returns the plan that holds a step, and the step's number in it."""
        with self._lock:
            while not self._ends or step >= self._ends[-1]:
                before = self._ends[-1] if self._ends else 0
                self._ends.append(before + self._plan(len(self._ends)).steps)
            epoch = int(np.searchsorted(self._ends, step, side="right"))
            plan = self._plan(epoch)
            return plan, step - (self._ends[epoch] - plan.steps)

    def _plan(self, epoch: int) -> EpochPlan:
        kept = self._kept
        if kept is None or kept[0] != epoch:
            layout, session_start, runs, seed = self._planned
            kept = epoch, make_plan(layout, session_start, runs, seed, epoch)
            self._kept = kept
        return kept[1]
