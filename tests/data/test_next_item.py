"""Cohorts of next-item queries, against a loop over the events."""

import numpy as np
import small


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
