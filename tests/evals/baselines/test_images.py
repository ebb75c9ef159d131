import numpy as np
import pytest
from scipy import linalg, optimize

from recjax.evals.baselines.image_features import fit_lda, fit_logistic, unit


def clusters(seed=0, classes=4, each=30, width=6):
    generator = np.random.default_rng(seed)
    middle = generator.normal(size=(classes, width)) * 2
    label = np.repeat(np.arange(classes), each) * 3
    mixed = generator.normal(size=(width, width))
    noise = generator.normal(size=(len(label), width)) @ mixed
    return np.repeat(middle, each, 0) + noise, label


@pytest.mark.parametrize("shrinkage", [0.0, 0.4, 1.0])
def test_lda_solves_the_generalised_eigenproblem(shrinkage):
    x, label = clusters()
    fitted = fit_lda(x, label, shrinkage)
    within = np.zeros((6, 6))
    between = np.zeros((6, 6))
    for one in np.unique(label):
        own = x[label == one]
        within += np.cov(own.T, bias=True) * len(own) / len(x)
        apart = own.mean(0) - x.mean(0)
        between += np.outer(apart, apart) * len(own) / len(x)
    shrunk = (1 - shrinkage) * within + shrinkage * np.trace(within) / 6 * np.eye(6)
    values, vectors = linalg.eigh(between, shrunk)
    got = fitted.weights
    assert got.shape == (6, 3)
    # The covariance within classes becomes the identity; directions are the same.
    np.testing.assert_allclose(got.T @ shrunk @ got, np.eye(3), atol=1e-8)
    want = vectors[:, ::-1][:, :3]
    np.testing.assert_allclose(np.abs((got * (shrunk @ want)).sum(0)), 1, atol=1e-6)
    np.testing.assert_allclose(np.diag(got.T @ between @ got), values[::-1][:3])


def test_embeddings_have_length_1():
    x, label = clusters()
    got = fit_lda(x, label)(x)
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1)


def test_one_class_cannot_be_told_apart():
    with pytest.raises(ValueError, match="two classes"):
        fit_lda(np.ones((3, 2)), np.zeros(3))


def test_logistic_regression_is_at_the_minimum_of_its_loss():
    x, label = clusters(each=10)
    got = fit_logistic(x, label, strength=0.5, steps=2_000)
    place = np.searchsorted(np.unique(label), label)

    def loss(flat):
        w, b = flat[:24].reshape(6, 4), flat[24:]
        logits = x @ w + b
        norm = np.log(np.exp(logits).sum(1))
        return (norm - logits[np.arange(len(x)), place]).sum() + (w**2).sum()

    flat = np.r_[got.weights.ravel(), got.bias]
    slope = optimize.approx_fprime(flat, loss, 1e-6)
    assert np.abs(slope).max() < 0.05
    assert (got(x) == label).mean() > 0.8


def test_rows_of_zeros_stay_zeros():
    assert (unit(np.zeros((2, 3))) == 0).all()
