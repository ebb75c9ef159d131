from dataclasses import replace

import numpy as np
import pytest
import sessions as support

from recjax.errors import UserError
from recjax.evals.baselines.history import History
from recjax.evals.baselines.markov import Markov
from recjax.evals.fusion import Fusion
from recjax.evals.ranking import Ranking
from recjax.evals.scorer import rank_scores
from recjax.evals.split_queries import SplitQueries
from recjax.evals.tuned import Tuned
from recjax.metrics.ranking import of_queries
from recjax.seconds import DAY, HOUR


@pytest.fixture(scope="module")
def data():
    return support.opened(support.sessions(users=30))


@pytest.mark.parametrize(
    "scorer",
    [
        History(),
        History(decay=0.8, popularity=0.0),
        History(half_life=2.0, hours=1.5, away=0.2, weekday=0.5),
    ],
)
def test_scores_as_in_loops(data, scorer):
    queries = data.queries("test")
    past, log = queries.past, data.log
    got = scorer.fit(data, queries).scores(0, len(queries))
    counts = np.bincount(log.item[data.train], minlength=log.num_items)
    for q in range(len(queries)):
        wanted = scorer.popularity * counts / counts.max()
        for place in range(past.start[q], past.stop[q]):
            weight = scorer.decay ** (past.stop[q] - 1 - place)
            age = float(past.when[q] - past.time[place])
            if scorer.half_life is not None:
                weight *= 2 ** -(age / DAY / scorer.half_life)
            if scorer.hours is not None:
                late = age % DAY
                apart = min(late, DAY - late) / HOUR / scorer.hours
                bell = np.exp(-apart * apart / 2)
                weight *= scorer.away + (1 - scorer.away) * bell
            if scorer.weekday != 1 and int(age / DAY + 0.5) % 7:
                weight *= scorer.weekday
            wanted[past.items[place]] += weight
        np.testing.assert_allclose(got[q], wanted, rtol=2e-5, atol=1e-6)


def test_a_habit_of_the_hour_is_found():
    # Breakfast each day at eight, dinner at eight in the evening.
    age = np.array([12 * HOUR, DAY, DAY + 12 * HOUR, 7 * DAY])
    near = History(hours=2, away=0).weights(np.arange(4), age)
    np.testing.assert_allclose(near, [0, 1, 0, 1], atol=1e-6)
    week = History(weekday=0).weights(np.arange(4), age)
    np.testing.assert_array_equal(week, [1, 0, 0, 1])


def test_a_choice_on_what_trains_is_told(data, caplog):
    SplitQueries().check_choice(data, ("validation",), "mrr")
    assert "chosen too well" not in caplog.text
    settings = replace(data.settings, fit=("train", "validation"))
    known = replace(data, settings=settings)
    SplitQueries().check_choice(known, ("validation",), "mrr")
    assert "data.fit = ('train', 'validation') trains on it" in caplog.text


def test_settings_are_chosen_on_validation(data):
    grid = {"decay": (1.0, 0.5, 0.9), "hours": (None, 2.0)}
    tuned = Tuned(History(popularity=0), grid, "mrr")
    chosen = tuned.choose(data)
    asked = data.queries("validation")
    figures = {
        (decay, hours): tuned._figure(
            data, asked, History(decay, hours=hours, popularity=0)
        )
        for decay in grid["decay"]
        for hours in grid["hours"]
    }
    found = figures[chosen.decay, chosen.hours]
    # No change of one setting does better.
    assert found >= max(figures[d, chosen.hours] for d in grid["decay"])
    assert found >= max(figures[chosen.decay, h] for h in grid["hours"])
    queries = data.queries("test")
    np.testing.assert_array_equal(
        tuned.fit(data, queries).scores(0, 5), chosen.fit(data, queries).scores(0, 5)
    )


def test_bad_settings(data):
    with pytest.raises(ValueError, match=r"grid names \['decays'\] of .*'decay'"):
        Tuned(History(), {"decays": (1.0,)})
    with pytest.raises(ValueError, match="must not be the test"):
        Tuned(History(), {"decay": (1.0,)}, split="test")
    with pytest.raises(ValueError, match="hours is 0, must be above 0"):
        Tuned(History(), {"hours": (None, 0)})
    with pytest.raises(UserError, match="'mrrr' is none of a query"):
        Tuned(History(), {"decay": (0.9,)}, "mrrr").choose(data)


@pytest.mark.parametrize(
    "scorer",
    [
        Tuned(History(), {"decay": (0.9,)}, "ndgc@10"),
        Fusion({"history": History(), "markov": Markov()}, "ndgc@10"),
    ],
)
def test_a_metric_that_is_none_is_found_before_training(data, scorer):
    with pytest.raises(UserError, match="'ndgc@10' is none of a query.*'ndcg@10'"):
        Ranking("test", scorer).metrics(data)


def test_settings_are_chosen_for_what_the_evaluation_ranks(data):
    tuned = Tuned(History(), {"decay": (1.0, 0.5)}, "mrr")
    for hidden in (False, True):
        asked = SplitQueries(hide_seen=hidden)
        task = asked.of(data, "validation").task
        assert (len(task.exclude) > 0) == hidden
        ranks = rank_scores(task, History().fit(data, data.queries("validation")))
        figure, weight = of_queries(task, ranks, "mrr")
        own = tuned.bound(asked, None)._figure(
            data, asked.of(data, "validation"), History()
        )
        assert own == pytest.approx(np.average(figure, weights=weight))


def test_a_part_of_the_queries_is_spread_evenly(data):
    queries = data.queries("test")
    some = queries.at_most(7)
    assert len(some) == 7 and queries.at_most(len(queries)) is queries
    rows = np.linspace(0, len(queries) - 1, 7).astype(int)
    np.testing.assert_array_equal(some.past.stop, queries.past.stop[rows])
    np.testing.assert_array_equal(some.user, queries.user[rows])
