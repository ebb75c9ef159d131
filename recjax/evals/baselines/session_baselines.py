"""Cheap lines of session data as evaluations: popularity, recency, Markov chains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from recjax.data.sessions.next import NextInSessionData
from recjax.errors import UserError
from recjax.evals.baselines.markov import Markov, MarkovOptions, RecentMarkov
from recjax.evals.baselines.moving import MovingAverage
from recjax.evals.baselines.popularity import Popularity
from recjax.evals.baselines.recency import Recency
from recjax.evals.baselines.session_knn import KnnOptions, SessionKnn
from recjax.evals.scorer import Scorer
from recjax.evals.session_metrics import (
    Targets,
    Ties,
    rank_targets,
    session_metrics,
)
from recjax.train.program import Program
from recjax.train.state import State

HISTORY = MarkovOptions(
    normalize=True, history=0.02, history_decay=0.9, popularity=1e-4
)
"""First-order transitions and what the user had before."""
SKIP = MarkovOptions(
    steps=5, last=4, decay=0.3, normalize=True, history=0.02, popularity=1e-4
)
"""Five-step transitions of the last four items, and what the user had before."""


@dataclass(frozen=True)
class SessionPopularity:
    """The same list for everybody.

    Attributes:
      split: "validation" or "test".
      ties: see `session_metrics`.
    """

    split: str = "test"
    ties: Ties = "average"
    every = 0
    trained = False

    def run(self, program: Program, state: State | None) -> Mapping[str, float]:
        """Returns the metrics."""
        data = session_data(program)
        size = len(data.sessions.item_ids)
        counts = np.bincount(data.sessions.item[data.train], minlength=size)
        return judge(self, data, Popularity(counts.astype(np.float32)))


@dataclass(frozen=True)
class RecencyBaseline:
    """What everybody clicked on in the last hour.

    Attributes:
      split: "validation" or "test".
      ties: see `session_metrics`.
      seconds: length of the window.
    """

    split: str = "test"
    ties: Ties = "average"
    seconds: int = 3_600
    every = 0
    trained = False

    def run(self, program: Program, state: State | None) -> Mapping[str, float]:
        """Returns the metrics."""
        data = session_data(program)
        return judge(self, data, recency(data, self.split, self.seconds))


@dataclass(frozen=True)
class MarkovBaseline:
    """A Markov chain, over the items of the last hour if that is wanted.

    Attributes:
      split: "validation" or "test".
      ties: see `session_metrics`.
      options: its settings.
      recent: seconds in which an item must have been clicked on; None for any item.
    """

    split: str = "test"
    ties: Ties = "average"
    options: MarkovOptions = field(default_factory=MarkovOptions)
    recent: int | None = None
    every = 0
    trained = False

    def run(self, program: Program, state: State | None) -> Mapping[str, float]:
        """Returns the metrics."""
        data = session_data(program)
        targets = data.targets(self.split)
        chain = Markov.fit(data.sessions, data.train, targets, self.options)
        if self.recent is None:
            return judge(self, data, chain)
        window = recency(data, self.split, self.recent)
        return judge(self, data, RecentMarkov(chain, window))


@dataclass(frozen=True)
class MovingAverageBaseline:
    """MV: what the user met in the last events, once more.

    Attributes:
      split: "validation" or "test".
      ties: see `session_metrics`; the paper's "optimistic" ones call a user's first
        event a hit.
      last: events.
    """

    split: str = "test"
    ties: Ties = "average"
    last: int = 10
    every = 0
    trained = False

    def run(self, program: Program, state: State | None) -> Mapping[str, float]:
        """Returns the metrics."""
        data = session_data(program)
        targets = data.targets(self.split)
        return judge(self, data, MovingAverage.fit(data.sessions, targets, self.last))


@dataclass(frozen=True)
class SessionKnnBaseline:
    """Items that share sessions with the last ones.

    Attributes:
      split: "validation" or "test".
      ties: see `session_metrics`.
      options: its settings.
    """

    split: str = "test"
    ties: Ties = "average"
    options: KnnOptions = field(default_factory=KnnOptions)
    every = 0
    trained = False

    def run(self, program: Program, state: State | None) -> Mapping[str, float]:
        """Returns the metrics."""
        data = session_data(program)
        targets = data.targets(self.split)
        found = SessionKnn.fit(data.sessions, data.train, targets, self.options)
        return judge(self, data, found)


def recency(data: NextInSessionData, split: str, seconds: int) -> Recency:
    """Returns the counts of a window before each target.

    Raises:
      UserError: the data has no times.
    """
    if not data.sessions.timed:
        raise UserError("recency needs timestamps; this data has none")
    return Recency.fit(data.sessions, data.targets(split), seconds)


def targets_of(data: NextInSessionData, split: str, nth: int = 1) -> Targets:
    """Returns the events of a split, of every nth user, and what metrics need."""
    event, known = data.targets(split, nth), data.sessions
    session = known.event_session[event]
    return Targets(
        event=event,
        item=np.asarray(known.item)[event],
        first=known.place[event] == 0,
        user=known.session_user[session],
        num_items=len(known.item_ids),
    )


def session_data(program: Program) -> NextInSessionData:
    """Returns the program's data.

    Raises:
      UserError: it is not made of sessions.
    """
    if not isinstance(program.dataset, NextInSessionData):
        raise UserError("this evaluation needs sessions; this data has none")
    return program.dataset


def judge(
    baseline: object, data: NextInSessionData, scorer: Scorer
) -> Mapping[str, float]:
    """Returns the metrics of anything that scores the targets of a split."""
    targets = targets_of(data, baseline.split)
    return session_metrics(targets, rank_targets(targets, scorer, baseline.ties))
