"""Answers for a person: what was asked, what was found, what was right."""

from dataclasses import replace

import numpy as np

from recjax.data.dataset import Corpus, Queries
from recjax.data.events import Histories
from recjax.evals.answers import sample_answers
from recjax.metrics.task import RankingTask

TITLES = ("red lamp", "blue lamp", "", "rug")
CORPUS = Corpus(("a", "b", "c", "d"), TITLES, {})


def test_texts_and_what_they_find():
    task = RankingTask.from_lists(4, [[0, 3], [1]], [[1.0, 1.0], [0.0]])
    queries = Queries({}, task, ("lamp", "carpet"))
    top = np.array([[2, 0], [1, -1]])
    assert sample_answers(queries, top, CORPUS).splitlines() == [
        '"lamp"',
        "  1. c",
        "  2. red lamp  <- right",
        "     right as well: rug",
        "",
        '"carpet"',
        "  1. blue lamp",
    ]


def test_histories_newest_last_and_four_queries_of_many():
    task = RankingTask.of_one_each(4, np.arange(40) % 4)
    start, stop = np.zeros(40, int), np.arange(40) % 3
    history = Histories(np.array([3, 0, 1]), start, stop)
    queries = replace(Queries({}, task), history=history)
    said = sample_answers(queries, np.zeros((40, 0), int), CORPUS).splitlines()
    asked = [line for line in said if line.startswith("after")]
    assert asked == [
        "after nothing",
        "after rug",
        "after rug | red lamp",
        "after nothing",
    ]
