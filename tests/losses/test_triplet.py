import jax
import jax.numpy as jnp
import numpy as np
import pytest
from graded_batch import batch_of

from recjax.losses import Softmax, TripletHinge


def outputs(vector, label=None, logits=()):
    label = np.zeros((len(vector), 3), int) if label is None else label
    return batch_of(vector, label, logits=logits)


def units(triplets, width, seed=0):
    x = np.random.default_rng(seed).normal(size=(triplets, 3, width))
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def hinge(vector, gap):
    q, p, n = vector[:, 0], vector[:, 1], vector[:, 2]
    return np.maximum(0, gap + ((q - p) ** 2).sum(-1) - ((q - n) ** 2).sum(-1))


def test_the_hinge_worked_by_hand():
    east, north, west = [1.0, 0], [0, 1.0], [-1.0, 0]
    # Distances 2 and 4, 2 and 2, 4 and 2.
    triplets = [[east, north, west], [east, north, [0, -1.0]], [east, west, north]]
    got = TripletHinge(0.5)(outputs(np.array(triplets)))
    np.testing.assert_allclose(got.value, [0, 0.5, 2.5])
    np.testing.assert_allclose(got.monitors["active"], [0, 1, 1])
    np.testing.assert_allclose(got.monitors["right"], [1, 0, 0])


def test_easy_triplets_do_not_cancel_hard_ones():
    vector = units(64, 4)
    got = TripletHinge(1.0)(outputs(vector))
    np.testing.assert_allclose(got.value, hinge(vector, 1.0), rtol=1e-5, atol=1e-6)
    assert np.mean(got.value) > max(0, 1.0 + np.mean(hinge(vector, 100.0)) - 100)


def test_gradients_are_those_of_finite_differences():
    with jax.enable_x64(True):
        vector = units(5, 4)
        loss = TripletHinge(0.7)
        grad = jax.grad(lambda v: loss(outputs(v)).value.sum())(jnp.asarray(vector))
        step = 1e-6
        for at in np.ndindex(vector.shape):
            moved = [vector.copy(), vector.copy()]
            moved[0][at] += step
            moved[1][at] -= step
            want = (hinge(moved[0], 0.7) - hinge(moved[1], 0.7)).sum() / (2 * step)
            assert abs(grad[at] - want) < 1e-7


def test_a_collapse_is_told():
    still = np.broadcast_to(units(1, 8)[:, :1], (16, 3, 8))
    got = TripletHinge(0.2)(outputs(still))
    assert (got.monitors["collapsed"] == 1).all()
    np.testing.assert_allclose(got.monitors["pair_distance"], 0, atol=1e-5)
    alive = TripletHinge(0.2)(outputs(units(16, 8)))
    assert (alive.monitors["collapsed"] == 0).all()
    # Random unit vectors are 2 apart on average, their own pairs 0.
    assert abs(float(alive.monitors["pair_distance"][0]) - 2) < 0.2


@pytest.mark.parametrize("gap", [0, -1, 4])
def test_a_gap_that_cannot_be_is_refused(gap):
    with pytest.raises(ValueError, match="gap"):
        TripletHinge(gap)


@pytest.mark.parametrize("smoothing, margin", [(0.0, 0.0), (0.1, 0.2)])
def test_softmax_is_the_cross_entropy_of_scaled_cosines(smoothing, margin):
    generator = np.random.default_rng(0)
    cosine = generator.uniform(-1, 1, (4, 3, 5))
    label = generator.integers(0, 5, (4, 3, 2))
    loss = Softmax(1, scale=8.0, smoothing=smoothing, margin=margin)
    got = loss(outputs(units(4, 2), label, (None, jnp.asarray(cosine))))
    want = np.zeros((4, 3))
    for at in np.ndindex(4, 3):
        own = cosine[at].copy()
        own[label[(*at, 1)]] -= margin
        p = np.exp(8 * own) / np.exp(8 * own).sum()
        aim = np.full(5, smoothing / 5)
        aim[label[(*at, 1)]] += 1 - smoothing
        want[at] = -(aim * np.log(p)).sum()
    np.testing.assert_allclose(got.value, want.mean(1), rtol=1e-5)
