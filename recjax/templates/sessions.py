"""Sessions: what comes next right now? HierTCN over what a user did, and counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle.session import SessionBundle
from recjax.data.prepared import Prepared
from recjax.data.sessions.next import NextInSession
from recjax.data.sessions.packing import Packed
from recjax.data.sessions.repeats import Repeats
from recjax.data.sessions.transitions import Transitions
from recjax.data.splits import ByColumn, LastOut
from recjax.errors import UserError
from recjax.evals.baselines.markov import Markov
from recjax.evals.baselines.popularity import Popularity, RecentPop
from recjax.evals.ranking import Ranking
from recjax.experiment import Experiment
from recjax.losses.pairwise import ItemSoftmax
from recjax.models.session_model import SessionModel
from recjax.nn.gru import Gru
from recjax.nn.hier import HierTcn, SessionStates
from recjax.nn.tcn import Tcn
from recjax.optim.optimizer import Adam, Optimizer
from recjax.optim.rowwise import RowwiseAdagrad
from recjax.optim.schedule import WarmupCosine
from recjax.seconds import HOUR
from recjax.templates import chosen

WIDTH, ROWS = 64, 32
OF_LATE: dict[str, Any] = {
    "last_hour": RecentPop(HOUR),
    "markov_last_hour": Markov("session", recent=HOUR),
}


def sessions(data: Prepared | str | Path, say: chosen.Say = print) -> Experiment:
    """Returns an experiment: which item comes next in a session?

    Args:
      data: prepared data whose events have sessions, or its name or folder.
      say: takes a line for each choice, with its reason.

    Raises:
      UserError: the data is not prepared, or has no events or no sessions.
    """
    known = chosen.opened(data, "sessions", "events")
    events, items = known.table("events"), known.table("item")
    if "session" not in events:
        raise UserError(
            f"templates.sessions: the events of {known.path.name} have no sessions: "
            "prepare them with gap=1800 (seconds), or take templates.sequences"
        )
    if "action" in events:
        actions = ", ".join(one for one in events["action"].vocabulary if one)
        say(f"actions: all count alike; data.actions weighs them: {actions}")
    longest = int(np.bincount(events["session"].array).max())
    lane = int(np.clip(2 ** np.ceil(np.log2(longest + 1)), 32, 512))
    say(f"rows of {lane} events, for the longest session has {longest}")
    by_column = "split" in events
    say("split: the column `split`" if by_column else "split: each user's last session")
    steps = chosen.steps(events.rows, ROWS * lane)
    pairs: Any = (Repeats(), Transitions())
    if timed := "timestamp" in events:
        say(
            "times: the last hour is a baseline; where it wins, as with news, add "
            "rj.data.RecentPopularity() to data.pairs, which needs a live feed to serve"
        )
    test = Ranking("test", ks=(1, 5, 10, 20), coverage=False)
    return Experiment(
        name=f"sessions_{chosen.data_name(known)}",
        seed=0,
        steps=steps,
        data=NextInSession(
            chosen.source(known),
            split=ByColumn() if by_column else LastOut(),
            layout=Packed(rows=ROWS, events=lane, sessions=max(lane // 4, 16)),
            negatives=chosen.negatives(items.rows, say),
            pairs=pairs,
        ),
        model=SessionModel(
            encoder=HierTcn(
                high=SessionStates(Gru(WIDTH), dropout=0.2, frozen_items=True),
                low=Tcn(128, blocks=2, convs=1, gated=True),
                width=WIDTH,
                dropout=0.4,
                skip=True,
            ),
            width=WIDTH,
            cosine=True,
            scale=16.0,
        ),
        losses={"softmax": ItemSoftmax()},
        optimizer=Optimizer(
            {"tables/.*": RowwiseAdagrad(0.1), ".*": Adam(2e-3)},
            WarmupCosine(steps // 10),
        ),
        evals={
            "hiertcn": test,
            "markov": replace(test, scorer=Markov()),
            **{n: replace(test, scorer=one) for n, one in OF_LATE.items() if timed},
            "popularity": replace(test, scorer=Popularity()),
            "validation": replace(test, split="validation", every=steps // 4),
        },
        best="validation/mrr",
        export=SessionBundle(),
    )
