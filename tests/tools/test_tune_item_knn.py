"""Tuning of item-kNN on a chain of items where only the next one follows."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recjax.data.events import Events, Histories
from recjax.evals.baselines.item_knn import ItemKnn
from recjax.metrics.task import RankingTask

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from tune_item_knn import tune_item_knn  # noqa: E402

ITEMS = 12
PLAIN = ItemKnn(popularity_weight=0.0)


@pytest.fixture
def chain():
    """Returns events and validation queries where only the next item follows."""
    user, place = np.repeat(np.arange(40), 6), np.tile(np.arange(6), 40)
    item = (user + place) % ITEMS
    events = Events(user, item, place * 60, ITEMS)
    start = np.arange(ITEMS)
    met = np.c_[start, start + 1].ravel() % ITEMS
    histories = Histories(met, 2 * start, 2 * start + 2)
    task = RankingTask.from_lists(ITEMS, [[(i + 2) % ITEMS] for i in start])
    return events, task, histories


def test_tuning_finds_what_matters_and_tells_what_it_tried(chain):
    worst = replace(PLAIN, backward=1.0, recency_power=0.0, window=5)
    space = {"backward": (0.0, 1.0), "recency_power": (0.0, 2.0), "window": (1, 5)}
    tuned = tune_item_knn(*chain, start=worst, space=space)
    assert tuned.best.options.backward == 0
    assert tuned.best.figures["ndcg@10"] == 1
    assert tuned.tried[0].options == worst
    assert tuned.best.goal == max(one.goal for one in tuned.tried) > tuned.tried[0].goal
    settings = [one.options for one in tuned.tried]
    assert len(set(settings)) == len(settings) <= 8


def test_tuning_needs_a_history_for_each_query(chain):
    events, task, histories = chain
    with pytest.raises(ValueError, match="11 queries but 12"):
        tune_item_knn(events, task.take(np.arange(11)), histories)
