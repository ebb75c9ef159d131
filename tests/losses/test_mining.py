import jax
import jax.numpy as jnp
import numpy as np
import pytest
from graded_batch import batch_of

from recjax.losses import InBatchSoftmax, MinedHinge, MultiSimilarity

GAP = 0.4


def known(seed=0):
    """Images of four classes, one image twice, one class of a single image."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(4, 3, 5))
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    label = np.array([0, 0, 1, 1, 1, 2, 2, 0, 2, 3, 0, 1])
    image = np.arange(12)
    image[10] = image[0]
    return x, label, image


def naive(x, label, image):
    """Yields (image, positives, negatives, squared distances to all)."""
    x = x.reshape(len(label), -1)
    for a in range(len(label)):
        distance = ((x - x[a]) ** 2).sum(1)
        positive = (label == label[a]) & (image != image[a])
        yield positive, label != label[a], distance


def expected(how, x, label, image):
    out = []
    for positive, negative, d in naive(x, label, image):
        if not positive.any():
            out.append(None)
            continue
        if how == "hardest":
            out.append(max(0, GAP + d[positive].max() - d[negative].min()))
            continue
        values = []
        for p in np.flatnonzero(positive):
            if how == "semi":
                beyond = d[negative][d[negative] > d[p]]
                n = beyond.min() if len(beyond) else d[negative].max()
                values.append(max(0, GAP + d[p] - n))
            else:
                far = np.sqrt(np.maximum(d[negative], 0.25))
                density = far**3 * (1 - far**2 / 4) ** 1.0  # D = 5
                chance = np.where(far < 1.4, 1 / density, 0)
                chance = chance / chance.sum() if chance.sum() else np.nan
                hinge = np.maximum(0, GAP + d[p] - d[negative])
                values.append((chance * hinge).sum())
        out.append(np.mean(values))
    return out


def by_triplet(values):
    rows = [values[i : i + 3] for i in range(0, len(values), 3)]
    kept = [[v for v in row if v is not None] for row in rows]
    return [np.mean(k) if k else 0 for k in kept], [len(k) / 3 for k in kept]


@pytest.mark.parametrize("how", ["hardest", "semi", "distance"])
@pytest.mark.parametrize("seed", range(5))
def test_mined_hinges_are_those_of_loops(how, seed):
    x, label, image = known(seed)
    got = MinedHinge(how, GAP)(batch_of(x, label, image))
    values, weight = by_triplet(expected(how, x, label, image))
    np.testing.assert_allclose(got.weight, weight, rtol=1e-6)
    finite = np.isfinite(values)
    np.testing.assert_allclose(
        np.asarray(got.value)[finite], np.array(values)[finite], rtol=2e-4, atol=1e-5
    )


def test_in_batch_softmax_is_that_of_loops():
    x, label, image = known()
    values = []
    for a, (positive, negative, d) in enumerate(naive(x, label, image)):
        logits = 8 * (1 - d / 2)
        norm = np.log(np.exp(logits[positive | negative]).sum())
        values.append((norm - logits[positive]).mean() if positive.any() else None)
        assert a not in np.flatnonzero(positive | negative)
    got = InBatchSoftmax(scale=8.0)(batch_of(x, label, image))
    np.testing.assert_allclose(got.value, by_triplet(values)[0], rtol=1e-4)


def test_multi_similarity_is_that_of_loops():
    x, label, image = known()
    loss, values = MultiSimilarity(), []
    for positive, negative, d in naive(x, label, image):
        s = 1 - d / 2
        low = s[positive].min() if positive.any() else np.inf
        n = s[negative & (s + 0.1 > low)]
        p = s[positive & (s - 0.1 < s[negative].max())]
        pull = np.log1p(np.exp(-2 * (p - 0.5)).sum()) / 2
        push = np.log1p(np.exp(50 * (n - 0.5)).sum()) / 50
        values.append(pull + push if len(p) or len(n) else None)
    got = loss(batch_of(x, label, image))
    np.testing.assert_allclose(got.value, by_triplet(values)[0], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "loss",
    [MinedHinge("hardest"), MinedHinge("semi"), MinedHinge("distance")]
    + [MultiSimilarity(), InBatchSoftmax()],
)
@pytest.mark.parametrize("case", ["usual", "one class", "all alone", "one point"])
def test_gradients_are_finite_whatever_the_batch_holds(loss, case):
    x, label, image = known()
    label = {"one class": label * 0, "all alone": np.arange(12)}.get(case, label)
    x = np.broadcast_to(x[:1, :1], x.shape) if case == "one point" else x

    def mean(x):
        got = loss(batch_of(x, label, image))
        return (got.value * got.weight).sum() / jnp.maximum(got.weight.sum(), 1e-9)

    value, grad = jax.value_and_grad(mean)(jnp.asarray(x, jnp.float32))
    assert np.isfinite(value) and np.isfinite(grad).all()


def test_rows_without_weight_are_no_negatives():
    x, label, image = known()
    weight = np.array([1.0, 1, 1, 0])
    got = MinedHinge("semi", GAP)(batch_of(x, label, image, weight))
    want, _ = by_triplet(expected("semi", x[:3], label[:9], image[:9]))
    np.testing.assert_allclose(got.value[:3], want, rtol=1e-4, atol=1e-6)
    assert got.weight[3] == 0
