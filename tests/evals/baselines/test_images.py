from types import SimpleNamespace

import numpy as np
import pytest
from scipy import linalg, optimize

from recjax.evals.baselines import images
from recjax.evals.baselines.images import ImageFeature, Lda, LogisticAccuracy
from recjax.evals.embed import unit
from recjax.pretrained import ImageNet


def clusters(seed=0, classes=4, each=30, width=6):
    generator = np.random.default_rng(seed)
    middle = generator.normal(size=(classes, width)) * 2
    label = np.repeat(np.arange(classes), each) * 3
    mixed = generator.normal(size=(width, width))
    noise = generator.normal(size=(len(label), width)) @ mixed
    return np.repeat(middle, each, 0) + noise, label


@pytest.fixture
def lda(monkeypatch):
    """Returns (features, classes, shrinkage) -> what LDA makes of the features."""

    def fitted(x, label, shrinkage=0.3):
        made = (lambda positions: x[positions]), None
        monkeypatch.setattr(images, "_features", lambda *_: made)
        data = SimpleNamespace(table=SimpleNamespace(labels=label[:, None]))
        embed, _ = Lda("lab", shrinkage).fit(data, np.arange(len(x)))
        return embed(np.arange(len(x)))

    return fitted


@pytest.mark.parametrize("shrinkage", [0.4, 1.0])
def test_lda_whitens_the_shrunk_covariance_within_classes(lda, shrinkage):
    """Directions are compared by angles: vectors have length 1."""
    x, label = clusters()
    got = lda(x, label, shrinkage)
    within = np.zeros((6, 6))
    between = np.zeros((6, 6))
    for one in np.unique(label):
        own = x[label == one]
        within += np.cov(own.T, bias=True) * len(own) / len(x)
        apart = own.mean(0) - x.mean(0)
        between += np.outer(apart, apart) * len(own) / len(x)
    shrunk = (1 - shrinkage) * within + shrinkage * np.trace(within) / 6 * np.eye(6)
    # scikit-learn shrinks the covariance of the class means as well.
    between = (1 - shrinkage) * between + shrinkage * np.trace(between) / 6 * np.eye(6)
    _, vectors = linalg.eigh(between, shrunk)
    want = unit((x - x.mean(0)) @ vectors[:, ::-1][:, :3])
    np.testing.assert_allclose(got @ got.T, want @ want.T, atol=1e-6)


def test_embeddings_have_length_1(lda):
    got = lda(*clusters())
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1)


def test_one_class_cannot_be_told_apart(lda):
    with pytest.raises(ValueError, match="two classes"):
        lda(np.ones((3, 2)), np.zeros(3))


def test_blocks_are_joined_as_they_lie_in_the_gallery(monkeypatch):
    generator = np.random.default_rng(5)
    maps = [generator.normal(3, 2, (30, 4)), generator.normal(0, 9, (30, 6))]

    def pooled(data, branch, positions):
        assert branch.blocks == (15,)
        return [x[list(positions)].astype(np.float32) for x in maps]

    monkeypatch.setattr(images, "_pooled", pooled)
    embed, _ = ImageFeature(ImageNet(), (15,)).fit(None, np.arange(20))
    parts = []
    for x in maps:
        spread = x[:20].std(0)
        apart = (x - x[:20].mean(0)) / (spread + 0.1 * spread.mean())
        parts.append(unit(apart[20:]))
    want = unit(np.concatenate(parts, 1))
    np.testing.assert_allclose(embed(np.arange(20, 30)), want, atol=1e-5)
    with pytest.raises(ValueError, match="'lab' has no blocks"):
        ImageFeature("lab", (15,))


def test_logistic_regression_is_at_the_minimum_of_its_loss():
    x, label = clusters(each=10)
    fitted = LogisticAccuracy("lab", strength=0.5).fit(x, label)
    place = np.searchsorted(np.unique(label), label)

    def loss(flat):
        w, b = flat[:24].reshape(6, 4), flat[24:]
        logits = x @ w + b
        norm = np.log(np.exp(logits).sum(1))
        return (norm - logits[np.arange(len(x)), place]).sum() + (w**2).sum()

    flat = np.r_[fitted.coef_.T.ravel(), fitted.intercept_]
    slope = optimize.approx_fprime(flat, loss, 1e-6)
    assert np.abs(slope).max() < 0.05
    assert (fitted.predict(x) == label).mean() > 0.8


def test_rows_of_zeros_stay_zeros():
    assert (unit(np.zeros((2, 3))) == 0).all()
