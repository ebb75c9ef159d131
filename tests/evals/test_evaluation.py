"""Any scorer on any data, and what is refused before training."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
import sessions as support
import small
import tiny_search
import two_corpora as two
from scipy.stats import rankdata

from recjax.data.splits import SPLITS
from recjax.errors import UserError
from recjax.evals.baselines.bm25 import Bm25
from recjax.evals.baselines.images import ImageFeature
from recjax.evals.baselines.item_knn import ItemKnn
from recjax.evals.baselines.markov import Markov
from recjax.evals.baselines.moving_average import MovingAverage
from recjax.evals.baselines.popularity import Popularity, RecentPop
from recjax.evals.baselines.session_knn import SessionKnn
from recjax.evals.evaluation import Evaluated, check_evals
from recjax.evals.gallery import GalleryRanking
from recjax.evals.ranking import RandomIndex, Ranking

KS = (1, 5, 10)
ITEMS = small.experiment().data.open(0)
SESSIONS = support.opened(support.sessions(2, users=30, items=12))
UNTIMED = support.opened(replace(SESSIONS.sessions, timestamp=0 * SESSIONS.log.item))
SEARCH = tiny_search.InMemory("tiny").open(0)
DATA = {"items": ITEMS, "sessions": SESSIONS, "untimed": UNTIMED, "search": SEARCH}

WORKS = {
    Popularity(): set(DATA),
    Popularity(days=0.5): {"items", "sessions"},
    RecentPop(): {"items", "sessions"},
    ItemKnn(): {"items", "sessions", "untimed"},
    Markov(): {"items", "sessions", "untimed"},
    Markov("session"): {"sessions", "untimed"},
    Markov(recent=3_600): {"items", "sessions"},
    MovingAverage(): {"items", "sessions", "untimed"},
    SessionKnn(): {"sessions", "untimed"},
    Bm25(): {"search"},
}


def split_of(name):
    """The small data of search holds queries of training alone, but for one."""
    part = DATA[name].part
    return next(s for s in ("test", "validation", "train") if (part == SPLITS[s]).any())


def seen(queries, q):
    past = queries.past
    return past.items[past.start[q] : past.stop[q]]


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("scorer", WORKS, ids=repr)
def test_any_scorer_on_any_data_that_has_what_it_needs(scorer, name):
    evaluation = Ranking(split_of(name), scorer, ks=KS)
    if name not in WORKS[scorer]:
        wanted = rf"{type(scorer).__name__} needs .*; this data has none"
        with pytest.raises(UserError, match=wanted):
            evaluation.metrics(DATA[name])
        return
    figures = evaluation.run(SimpleNamespace(dataset=DATA[name]), None).figures
    assert tuple(figures) == evaluation.metrics(DATA[name])
    assert 0 < figures["mrr"] <= 1 and 0 < figures["coverage@10"] <= 1
    # The ranks are those of a whole sort of the scores.
    queries = DATA[name].queries(split_of(name))
    scores = scorer.fit(DATA[name], queries).scores(0, len(queries)).astype(float)
    task, hits = queries.task, []
    for q in range(len(queries)):
        scores[q, task.exclude[slice(*task.exclude_offsets[q : q + 2])]] = -np.inf
        rank = rankdata(-scores[q])
        hits += (rank[task.items[slice(*task.offsets[q : q + 2])]] <= 5).tolist()
    assert figures["recall@5"] == pytest.approx(np.mean(np.array(hits)[task.positive]))
    assert ("by_user/mrr" in figures) == (name in ("sessions", "untimed"))


def test_a_chain_of_interactions_finds_what_follows():
    """Item i is followed by item i + 1, or by itself or i + 2."""
    program = SimpleNamespace(dataset=ITEMS)
    chain = Ranking(scorer=Markov(), ks=KS).run(program, None).figures
    popular = Ranking(scorer=Popularity(), ks=KS).run(program, None).figures
    assert chain["recall@5"] > 2 * popular["recall@5"]


def test_popularity_of_pairs_counts_training_pairs():
    queries = SEARCH.queries(split_of("search"))
    got = Popularity().fit(SEARCH, queries).scores(0, 1)[0]
    known = SEARCH.pairs
    wanted = [sum(known.product[SEARCH.part == 0] == i) for i in range(6)]
    assert got.tolist() == wanted


@pytest.mark.parametrize("name", ["items", "sessions"])
def test_what_was_met_before_is_hidden_or_not(name):
    data, told = DATA[name], {"ks": KS, "coverage": False, "scorer": MovingAverage(99)}
    found = {
        hidden: Ranking(hide_seen=hidden, **told).run(
            SimpleNamespace(dataset=data), None
        )
        for hidden in (None, True, False)
    }
    ranks = {True: [], False: []}
    queries = data.queries("test")
    for q in range(len(queries)):
        met, size = seen(queries, q), queries.task.num_items
        scores = np.bincount(met, minlength=size).astype(float)
        item = queries.task.items[q]
        ranks[False].append(rankdata(-scores)[item])
        out = np.setdiff1d(met, [item])
        left = np.setdiff1d(np.arange(size), out)
        ranks[True].append(rankdata(-scores[left])[left.tolist().index(item)])
    for hidden, own in ranks.items():
        assert found[hidden].figures["mrr"] == pytest.approx(np.mean(1 / np.array(own)))
    usual = found[name == "items"].figures
    assert found[None].figures["mrr"] == usual["mrr"] != found[name != "items"].figures


def program(evals, data=ITEMS, best=None):
    return SimpleNamespace(
        experiment=SimpleNamespace(evals=evals, best=best), dataset=data
    )


@pytest.mark.parametrize(
    ("evaluation", "data", "said"),
    [
        (Ranking("tset"), "items", "no split 'tset'.*'test'"),
        (Ranking(task="y"), "items", "no task 'y'; the data has ''"),
        (Ranking(scorer=Bm25()), "items", "Bm25 needs queries that are texts"),
        (Ranking(scorer=ItemKnn()), "search", "ItemKnn needs events of users"),
        (Ranking(scorer=RecentPop()), "untimed", "RecentPop needs timestamps"),
        (Ranking(scorer=SessionKnn()), "items", "SessionKnn needs sessions"),
        (Ranking(ties="order"), "items", "ties = 'order' is for baselines"),
        (Ranking(hide_seen=True), "search", "hide_seen needs queries with histories"),
        (GalleryRanking(), "items", "needs images"),
        (GalleryRanking(scorer=ImageFeature("hog")), "search", "needs images"),
    ],
)
def test_what_cannot_work_is_refused_before_training(evaluation, data, said):
    with pytest.raises(UserError, match=rf"^evals\.x: .*{said}"):
        good = Ranking(split_of(data))
        check_evals(program({"good": good, "x": evaluation}, DATA[data]))


def test_an_evaluation_that_names_no_figures():
    with pytest.raises(UserError, match=r"evals\.x: str has no metrics\(data\)"):
        check_evals(program({"x": "recall"}))


def test_data_that_ranks_nothing():
    with pytest.raises(UserError, match="a ranking needs queries"):
        check_evals(program({"x": Ranking()}, object()))


def test_tasks_of_several_corpora():
    data = two.TwoCorpora()
    good = {"a": Ranking(task="pin_save"), "b": Ranking(task="y")}
    with pytest.raises(UserError, match=r"evals\.b: no task 'y'; the data has 'pin"):
        check_evals(program(good, data))
    index = Ranking(task="pin_save", index=RandomIndex(9))
    check_evals(program({"pin": index}, data, "pin/new:index_recall@10"))


@pytest.mark.parametrize(
    ("best", "said"),
    [
        ("validation/ndgc@10", "finds no 'ndgc@10'. Did you mean 'validation/ndcg@10'"),
        ("validation/recall", "Did you mean 'validation/recall"),
        ("valid/mrr", "the evaluation 'valid' finds no 'mrr'"),
        ("a/b/mrq", "the evaluation 'a/b' finds no 'mrq'. Did you mean 'a/b/mr"),
    ],
)
def test_a_misnamed_best_metric_is_refused_before_training(best, said):
    evals = {"validation": Ranking("validation", every=5), "a": Own(), "a/b": Ranking()}
    for good in (
        "validation/ndcg@10",
        "a/b/mrr",
        "a/size",
        "validation/no history:pairs",
    ):
        check_evals(program(evals, best=good))
    with pytest.raises(UserError) as error:
        check_evals(program(evals, best=best))
    assert said in str(error.value)


@dataclass(frozen=True)
class Own:
    """A user's evaluation."""

    every = 0
    trained = True

    def metrics(self, data):
        return ["size"]

    def run(self, program, state):
        return Evaluated({"size": float(len(program.dataset.corpora["item"]))})
