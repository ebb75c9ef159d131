"""What the log says of a fusion: true formulas."""

import numpy as np
import pytest
from scipy.stats import rankdata

from recjax.evals.fusion_told import SHAPES, said
from recjax.evals.fusion_weights import Chosen, shaped
from recjax.evals.reranking import Reranking

NUMPY = {
    "the query's mean": "score.mean()",
    "their standard deviation": "score.std()",
    "the query's largest": "score.max()",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_formula_is_what_is_computed(shape):
    score = np.random.default_rng(0).normal(size=9) + 1
    formula = SHAPES[shape]
    for words, code in NUMPY.items():
        formula = formula.replace(words, code)
    wanted = eval(formula, {"score": score, "rank": rankdata(-score)})
    np.testing.assert_allclose(shaped(score[None], shape)[0], wanted, rtol=1e-6)


def test_each_part_and_the_queries_are_named():
    gains = {"words": (0.05, 0.04, 0.06), "model": (0.02, 0.01, 0.03), "x": (0, 0, 0)}
    chosen = Chosen(
        {"words": 1.0, "model": 0.512},
        {"words": "max", "model": "rank"},
        0.3666,
        (0.35, 0.38),
        gains,
        5,
    )
    again = Reranking({"y": 1.0}, {"y": "z"}, (0.01, 0.001, 0.02))
    told = said(chosen, "ndcg@10", ("train", "validation"), gains, again)
    first, words, model, out, last = told.splitlines()
    assert "ndcg@10 0.3666 [0.3500, 0.3800] on the train and validation quer" in first
    assert "each of 5 folds" in first
    assert words.endswith(
        "words: 1 x (score / the query's largest); "
        "without it ndcg@10 -0.0500 [-0.0600, -0.0400]"
    )
    assert "model: 0.512 x (61 / (60 + rank))" in model and "x: nothing" in out
    assert "second stage ndcg@10 +0.0100 [+0.0010, +0.0200]" in last
