"""Cohorts of next-item queries against a loop over the events; the cost of a batch."""

import tracemalloc

import films
import numpy as np
import small

from recjax.data.interactions import Interactions
from recjax.data.next_item import NextItem, NextItemData


def test_cohorts_are_those_of_a_loop():
    dataset = small.experiment().data.open(0)
    known, settings = dataset.interactions, dataset.settings
    trained = {
        int(known.item[e])
        for e in range(len(known.item))
        if dataset.part[e] == 0 and settings.fit == ("train",)
    }
    events = np.flatnonzero(dataset.part == 2)
    queries = dataset.queries("test")
    new = [int(known.item[e]) not in trained for e in events]
    first = [
        not any(
            known.user[other] == known.user[e]
            and known.timestamp[other] < known.timestamp[e]
            for other in range(len(known.item))
        )
        for e in events
    ]
    assert queries.cohorts["new item"].tolist() == new
    assert queries.cohorts["no history"].tolist() == first
    assert len(new) == len(queries.task.items)


def test_a_film_that_was_never_rated_in_training_is_new():
    dataset = small.experiment().data.open(0)
    item = int(dataset.interactions.item[np.flatnonzero(dataset.part == 2)[0]])
    others = dataset.train & (dataset.interactions.item != item)
    object.__setattr__(dataset, "train", others)
    queries = dataset.queries("test")
    wanted = queries.task.items == item
    assert wanted.any()
    assert queries.cohorts["new item"][wanted].all()


def test_a_batch_does_not_pay_for_the_length_of_the_log():
    users, each = 20_000, 100
    user = np.repeat(np.arange(users, dtype=np.int32), each)
    ids = tuple(map(str, range(500)))
    known = Interactions(
        user=user,
        item=np.tile(np.arange(each, dtype=np.int32), users),
        timestamp=np.tile(np.arange(each), users) + user,
        rating=np.ones(1, np.float32),
        tables=films.tables(users, ids, ids),
    )
    dataset = NextItemData(NextItem("", 64, 64, history=10), 0, known)
    dataset.batch(0)
    tracemalloc.start()
    dataset.batch(1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < known.item.nbytes / 4
