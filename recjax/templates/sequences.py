"""Sequences: what comes next, where only the order of events counts: SASRec."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from recjax.bundle.session import SessionBundle
from recjax.data.prepared import Prepared
from recjax.data.sessions.next import NextInSession
from recjax.data.sessions.packing import Packed
from recjax.data.splits import LastOut
from recjax.evals.baselines.item_knn import ItemKnn
from recjax.evals.baselines.markov import Markov
from recjax.evals.baselines.popularity import Popularity
from recjax.evals.ranking import Ranking
from recjax.experiment import Experiment
from recjax.losses.pairwise import ItemSoftmax
from recjax.models.session_model import SessionModel
from recjax.nn.attention import FlatAttention
from recjax.optim.optimizer import Adam, Optimizer
from recjax.optim.rowwise import RowwiseAdagrad
from recjax.optim.schedule import WarmupCosine
from recjax.templates import chosen

WIDTH, ROWS = 64, 32


def sequences(data: Prepared | str | Path, say: chosen.Say = print) -> Experiment:
    """Returns an experiment: which item does a user take next, by attention?

    Args:
      data: prepared data with events, or its name or folder.
      say: takes a line for each choice, with its reason.

    Raises:
      UserError: the data is not prepared, or has no events.
    """
    known = chosen.opened(data, "sequences", "events")
    events, items = known.table("events"), known.table("item")
    longest = int(np.bincount(events["user"].array).max())
    lane = int(np.clip(2 ** np.ceil(np.log2(longest + 1)), 32, 256))
    say(f"rows of {lane} events, for the longest sequence has {longest}")
    say("split: the last event of each user; what a user has had is not ranked")
    steps = chosen.steps(events.rows, ROWS * lane)
    knn: Any = ItemKnn()
    test = Ranking("test", hide_seen=True, coverage=False)
    return Experiment(
        name=f"sequences_{chosen.data_name(known)}",
        seed=0,
        steps=steps,
        data=NextInSession(
            chosen.source(known),
            split=LastOut(),
            layout=Packed(rows=ROWS, events=lane, sessions=lane),
            negatives=chosen.negatives(items.rows, say),
            sequences=True,
        ),
        model=SessionModel(
            encoder=FlatAttention(WIDTH, size=WIDTH, dropout=0.4),
            width=WIDTH,
            cosine=True,
            scale=16.0,
        ),
        losses={"softmax": ItemSoftmax()},
        optimizer=Optimizer(
            {"tables/.*": RowwiseAdagrad(0.1), ".*": Adam(1e-3)},
            WarmupCosine(steps // 10),
        ),
        evals={
            "sasrec": test,
            "item_knn": replace(test, scorer=knn),
            "markov": replace(test, scorer=Markov()),
            "popularity": replace(test, scorer=Popularity()),
            "validation": replace(test, split="validation", every=steps // 4),
        },
        best="validation/ndcg@10",
        export=SessionBundle(),
    )
