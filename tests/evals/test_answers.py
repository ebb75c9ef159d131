"""Answers for a person: what was asked, what was found, what was missed."""

from dataclasses import replace

import numpy as np

from recjax.data.dataset import Corpus, Queries
from recjax.data.events import Histories
from recjax.evals import answers
from recjax.evals.answers import Shown, sample_answers
from recjax.metrics.ranks import Ranks
from recjax.metrics.task import RankingTask
from recjax.tables.typed import Table, TypedColumn
from recjax.text.column import pack

TITLES = ("red lamp", "blue lamp", "", "rug")
CORPUS = Corpus(("a", "b", "c", "d"), TITLES, {})


def unasked(q):
    raise AssertionError("lists are there, nothing is scored")


def test_texts_what_they_find_and_what_they_miss():
    task = RankingTask.from_lists(4, [[0, 3], [1]], [[1.0, 1.0], [0.0]])
    queries = Queries({}, task, ("lamp", "carpet"))
    ranks = Ranks(task.query, np.array([2.0, 4, 1]), np.array([[2, 0], [1, -1]]))
    # Nothing is right for a carpet, so nobody asks for one.
    (one,) = sample_answers(queries, ranks, CORPUS, 0, unasked)
    assert one.asked == Shown("lamp")
    assert one.found == (Shown("c"), Shown("red lamp", mark="right"))
    assert one.missed == (Shown("rug", "at place 4"),) and one.more == 0


def test_twelve_of_many_queries_drawn_by_the_seed():
    task = RankingTask.of_one_each(4, np.arange(400) % 4)
    queries = Queries({}, task, tuple(map(str, range(400))))
    ranks = Ranks(task.query, np.ones(400), np.zeros((400, 1), int))
    asked = [
        [one.asked.title for one in sample_answers(queries, ranks, CORPUS, s, unasked)]
        for s in (0, 0, 1)
    ]
    assert len(set(asked[0])) == 12 and asked[0] == asked[1] != asked[2]


def test_the_past_of_a_session_has_ages_the_newest_last():
    task = RankingTask.of_one_each(4, np.array([2]))
    time = np.array([0.0, 86_400 * 2, 86_400 * 2 + 300])
    history = Histories(
        np.array([3, 0, 1]),
        np.array([0]),
        np.array([3]),
        time,
        np.array([time[-1] + 7_200]),
        session=np.array([1]),
    )
    queries = replace(Queries({}, task), history=history)
    ranks = Ranks(task.query, np.ones(1), np.zeros((1, 0), int))
    # No list was asked for: the items are scored, without those that are left out.
    scores = np.array([0.1, 0.4, 0.3, 0.2])
    queries = replace(
        queries, task=replace(task, exclude=np.array([1]), exclude_offsets=[0, 1])
    )
    (one,) = sample_answers(queries, ranks, CORPUS, 0, lambda q: scores)
    assert one.asked is None
    assert one.before == (Shown("rug", "2 d before"),)
    assert one.session == (
        Shown("red lamp", "2 h before"),
        Shown("blue lamp", "2 h before"),
    )
    assert [s.title for s in one.found] == ["c", "rug", "red lamp"]
    assert one.found[0].mark == answers.RIGHT and not one.missed


def test_long_pasts_end_with_the_newest():
    task = RankingTask.of_one_each(4, np.array([2]))
    items = np.arange(40) % 4
    history = Histories(items, np.array([0]), np.array([40]))
    queries = replace(Queries({}, task), history=history)
    ranks = Ranks(task.query, np.full(1, 9.0), np.zeros((1, 1), int))
    (one,) = sample_answers(queries, ranks, CORPUS, 0, unasked)
    assert len(one.before) == answers.PAST and not one.session
    assert one.before[-1].title == "rug" and one.before[-1].note == ""


def test_an_item_without_a_title_is_told_by_what_is_known_of_it():
    def codes(name, values, labels):
        return TypedColumn(name, "category", np.array(values, np.int32), pack(labels))

    known = Table(
        2,
        {
            "id": TypedColumn("id", "id", np.arange(2), pack(["7", "8"])),
            "price": TypedColumn("price", "number", np.ones(2, np.float32)),
            "about": TypedColumn("about", "text", pack(["oak, brass", ""])),
            "split": codes("split", [1, 1], ["", "test"]),
            "colour": codes("colour", [1, 0], ["", "red"]),
        },
    )
    bare = Corpus(("7", "8"), ("", ""), {}, table=known)
    assert answers.title_of(bare, 0) == "7 (oak, brass, colour red)"
    assert answers.title_of(bare, 1) == "8", "nothing is known of it"
    same = replace(bare, titles=("7", "8"))
    assert answers.item_shown(same, 0).title == answers.title_of(bare, 0)
    assert answers.title_of(replace(bare, titles=("lamp", "")), 0) == "lamp"
