import csv
import hashlib
import io
import math
import zipfile

import numpy as np
import pytest

from recjax.evals.baselines.bm25 import Bm25, tokens
from recjax.evals.scorer import rank_scores
from recjax.metrics.ranking import ranking_metrics
from recjax.metrics.task import RankingTask
from recjax.paths import find_raw


@pytest.mark.parametrize(
    "text, raw, stripped",
    [
        ("Angle Brackets", ["angle", "brackets"], ["angle", "bracket"]),
        ("glass bus gas", ["glass", "bus", "gas"], ["glass", "bus", "gas"]),
        ("2x4's, L-shaped", ["2x4", "s", "l", "shaped"], ["2x4", "s", "l", "shaped"]),
        ("Café ÅS 12V.", ["café", "ås", "12v"], ["café", "ås", "12v"]),
        ("keys class buss", ["keys", "class", "buss"], ["key", "class", "buss"]),
        ("", [], []),
    ],
)
def test_tokens(text, raw, stripped):
    assert tokens(text, "none") == raw
    assert tokens(text) == stripped


TITLES = ["red angle bracket", "bracket bracket", "blue paint", "", "red red red paint"]
QUERIES = ["red bracket", "Paint, paint", "unheard of", ""]


def naive(titles, query, k1, b):
    """Returns the scores from the formula, term by term."""
    documents = [tokens(t) for t in titles]
    average = sum(map(len, documents)) / len(documents)
    scores = [0.0] * len(titles)
    for term in tokens(query):
        df = sum(term in d for d in documents)
        idf = math.log(1 + (len(titles) - df + 0.5) / (df + 0.5))
        for place, d in enumerate(documents):
            tf = d.count(term)
            norm = 1 - b + b * len(d) / average
            scores[place] += idf * tf * (k1 + 1) / (tf + k1 * norm) if tf else 0
    return scores


@pytest.mark.parametrize("k1, b", [(1.2, 0.75), (0.5, 0.0), (2.0, 1.0)])
def test_same_as_the_formula(k1, b):
    model = Bm25(k1=k1, b=b).index(TITLES, QUERIES)
    got = model.scores(0, len(QUERIES))
    expected = [naive(TITLES, q, k1, b) for q in QUERIES]
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    assert got.max() > 1  # there is something to compare
    np.testing.assert_array_equal(model.scores(1, 3), got[1:3])


def test_settings_out_of_range():
    with pytest.raises(ValueError, match="b 2"):
        Bm25(b=2)
    with pytest.raises(ValueError, match="0 titles"):
        Bm25().index([], [])


def test_the_english_stemmer():
    pytest.importorskip("snowballstemmer", reason="needs the extra text")
    same = [("running lamps", "run lamp"), ("generously", "generous"), ("flies", "fly")]
    for one, other in same:
        assert tokens(one, "english") == tokens(other, "english")
    assert tokens("running", "plural") != tokens("run", "plural")
    with pytest.raises(ValueError, match="stem 'german'"):
        Bm25("german")


def test_misspelt_words_share_trigrams():
    titles = ["white screwdriver set", "white screen door"]
    known, asked = Bm25("trigrams"), ["screwdrivr"]
    found = known.index(titles, asked).scores(0, 1)[0]
    assert found[0] > found[1] > 0
    assert not Bm25().index(titles, asked).scores(0, 1).any()


def test_fields_add_up():
    titles, about = TITLES, ["wood", "", "paint for wood", "bracket", ""]
    both = Bm25(fields={"title": 1.0, "about": 0.5})
    learned = both.indexed({"title": titles, "about": about}, both.fields)
    rows = {word: row for row, word in enumerate(learned.words)}
    query = "red wood bracket"
    found = sum(learned.weights[[rows[word]]].toarray()[0] for word in query.split())
    wanted = np.array(naive(titles, query, 1.2, 0.75))
    wanted += 0.5 * np.array(naive(about, query, 1.2, 0.75))
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    with pytest.raises(ValueError, match="must be above 0"):
        Bm25(fields={"title": 0.0})


def test_words_of_any_script():
    titles = ["красная лампа", "зелёный стул", "ランプ 赤"]
    found = Bm25().index(titles, ["КРАСНАЯ", "赤", "lamp"]).scores(0, 3)
    assert found.argmax(1)[:2].tolist() == [0, 2] and not found[2].any()


@pytest.fixture(scope="module")
def home_depot():
    """Returns titles, test queries and their task; products in the file's order."""
    path = find_raw("home_depot", "train.csv.zip")
    if path is None:
        pytest.skip("no home_depot/train.csv.zip in $RECJAX_DATA or ../shared/data")
    text = zipfile.ZipFile(path).read("train.csv").decode("latin-1")
    titles, judged = {}, {}
    for row in csv.DictReader(io.StringIO(text)):
        titles.setdefault(row["product_uid"], row["product_title"])
        query = row["search_term"]
        if int(hashlib.md5(query.encode()).hexdigest(), 16) % 10 == 0:
            gain = float(row["relevance"]) - 1
            judged.setdefault(query, {})[row["product_uid"]] = gain
    judged = {q: found for q, found in judged.items() if max(found.values()) == 2}
    index = {product: place for place, product in enumerate(titles)}
    task = RankingTask.from_lists(
        len(titles),
        [[index[product] for product in found] for found in judged.values()],
        [list(found.values()) for found in judged.values()],
        positive_gain=2,
    )
    assert (len(task), int(task.positive.sum()), len(titles)) == (715, 1_976, 54_667)
    return list(titles.values()), list(judged), task


@pytest.mark.parametrize(
    "stem, ties, expected",
    [
        # Known figures of this split, where ties follow the file's order.
        ("none", "order", (0.449, 0.454, 0.750, 0.375)),
        ("plural", "order", (0.518, 0.512, 0.797, 0.422)),
        # Products of one title tie, and the file's order happens to favour positives.
        ("plural", "average", (0.507, 0.504, 0.796, 0.406)),
    ],
)
def test_home_depot(home_depot, stem, ties, expected):
    titles, queries, task = home_depot
    model = Bm25(stem).index(titles, queries)
    got = ranking_metrics(task, rank_scores(task, model, 100, ties=ties))
    names = ("recall@10", "recall_by_query@10", "recall_by_query@100", "ndcg@10")
    assert [got[name] for name in names] == pytest.approx(expected, abs=0.002)
