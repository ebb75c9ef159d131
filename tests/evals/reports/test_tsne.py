"""The map of embeddings."""

import numpy as np
import pytest

from recjax.errors import UserError
from recjax.evals.reports.tsne import tsne


def clusters(count=3, each=20, width=16, seed=0):
    generator = np.random.default_rng(seed)
    centres = 5 * generator.standard_normal((count, width))
    noise = generator.standard_normal((count, each, width))
    return (centres[:, None] + 0.3 * noise).reshape(-1, width)


def test_neighbours_of_the_map_are_of_the_same_cluster():
    place = tsne(clusters(), perplexity=10)
    label = np.repeat(np.arange(3), 20)
    distance = ((place[:, None] - place[None]) ** 2).sum(-1) + np.diag([np.inf] * 60)
    nearest = np.argsort(distance, axis=1)[:, :5]
    assert place.shape == (60, 2)
    assert (label[nearest] == label[:, None]).mean() > 0.99


def test_the_same_seed_gives_the_same_map_and_its_centre_is_zero():
    one, other = (tsne(clusters()) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(one.mean(0), 0, atol=1e-9)


def test_equal_vectors_do_not_break_it():
    assert np.isfinite(tsne(np.ones((5, 4)))).all()


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'recjax\[baselines\]'"):
        tsne(clusters())


def test_bad_vectors_are_refused():
    with pytest.raises(ValueError, match="at least 3"):
        tsne(np.ones((2, 4)))
    with pytest.raises(ValueError, match="finite"):
        tsne(np.full((5, 4), np.nan))
