"""Losses against plain loops over positions and items."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax

from recjax.execution import Execution, executing
from recjax.losses.pairwise import L2, Bpr, Hinge, ItemSoftmax, Nce, Top1
from recjax.outputs import ItemScores, PairFeatures


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def scored(scores):
    """Returns what makes these the scores of drawn items [P, R]."""
    items = scores.shape[1]
    return {
        "user": scores.astype(np.float32),
        "drawn_item": np.eye(items, dtype=np.float32),
        "drawn_bias": np.zeros(items, np.float32),
        "pairs": None,
    }


def outputs(seed=0, positions=6, drawn=5, shown=3):
    random = np.random.default_rng(seed)
    drawn_id = random.integers(0, 4, drawn)
    drawn_id[-1] = -1
    return ItemScores(
        own=random.normal(size=positions).astype(np.float32),
        **scored(random.normal(size=(positions, drawn))),
        shown=random.normal(size=(positions, shown)).astype(np.float32),
        distance=random.random(positions).astype(np.float32),
        own_id=random.integers(0, 4, positions),
        drawn_id=drawn_id,
        shown_there=random.random((positions, shown)) < 0.7,
        own_draw_logq=np.log(random.random(positions)).astype(np.float32),
        drawn_draw_logq=np.log(random.random(drawn)).astype(np.float32),
        weight=random.random(positions).astype(np.float32),
    )


FORMS = {
    Nce: lambda a, b: -np.log(sigmoid(a)) - np.log(sigmoid(-b)).mean(),
    Bpr: lambda a, b: -np.log(sigmoid(a - b)).mean(),
    Top1: lambda a, b: (sigmoid(b - a) + sigmoid(b**2)).mean(),
    Hinge: lambda a, b: np.maximum(0, 0.1 + b - a).mean(),
}


@pytest.mark.parametrize("others", ["drawn", "shown"])
@pytest.mark.parametrize("loss", FORMS)
def test_against_the_formula(loss, others):
    given = outputs()
    got = loss(others)(given)
    for at in range(len(given.own)):
        if others == "drawn":
            visible = (given.drawn_id >= 0) & (given.drawn_id != given.own_id[at])
            scores = given.drawn[at][visible]
        else:
            scores = given.shown[at][given.shown_there[at]]
        if not len(scores):
            continue
        wanted = FORMS[loss](given.own[at], scores)
        assert got.value[at] == pytest.approx(wanted, rel=1e-5)
    np.testing.assert_array_equal(got.weight, given.weight)


def test_a_position_that_was_shown_nothing_is_finite():
    given = outputs()
    bare = given.replace(shown_there=np.zeros_like(given.shown_there))
    for loss in FORMS:
        assert np.isfinite(loss("shown")(bare).value).all()


def log_sigmoid(x):
    return -np.log1p(np.exp(-x))


@pytest.mark.parametrize(
    ("of", "change"), [("sigmoid", sigmoid), ("log_sigmoid", log_sigmoid)]
)
def test_hinge_of_sigmoids(of, change):
    given = outputs()
    scores = given.replace(own=change(given.own), **scored(change(given.drawn)))
    wanted = Hinge(delta=0.3)(scores).value
    got = Hinge(delta=0.3, of=of)(given).value
    np.testing.assert_allclose(got, wanted, rtol=1e-5)


def test_softmax_over_all_items_is_the_full_one():
    random = np.random.default_rng(1)
    scores = random.normal(size=(6, 4)).astype(np.float32)
    own_id = random.integers(0, 4, 6)
    given = outputs().replace(
        own=scores[np.arange(6), own_id],
        **scored(np.pad(scores, ((0, 0), (0, 2)))),
        own_id=own_id,
        drawn_id=np.array([0, 1, 2, 3, -1, -1]),
        own_draw_logq=np.full(6, -np.log(6), np.float32),
        drawn_draw_logq=np.full(6, -np.log(6), np.float32),
    )
    wanted = -log_softmax(scores, 1)[np.arange(6), own_id]
    np.testing.assert_allclose(ItemSoftmax()(given).value, wanted, atol=1e-5)
    smooth = 0.8 * wanted - 0.2 * log_softmax(scores, 1).mean(1)
    got = ItemSoftmax(label_smoothing=0.2)(given).value
    np.testing.assert_allclose(got, smooth, atol=1e-5)


def test_logq_makes_the_drawn_items_stand_for_all():
    # Without the correction the popular items that are drawn often would be punished.
    random = np.random.default_rng(2)
    items, draws = 300, 20_000
    scores, share = random.normal(size=items), random.dirichlet(np.ones(items))
    drawn = random.choice(items, draws, p=share)
    given = outputs(positions=1).replace(
        own=scores[:1].astype(np.float32),
        user=np.ones((1, 1), np.float32),
        drawn_item=scores[drawn][:, None].astype(np.float32),
        drawn_bias=np.zeros(draws, np.float32),
        own_id=np.array([0]),
        drawn_id=drawn,
        own_draw_logq=np.log(share[:1]).astype(np.float32),
        drawn_draw_logq=np.log(share[drawn]).astype(np.float32),
    )
    own = scores[0] - np.log(draws * share[0])
    wanted = np.log(np.exp(scores[1:]).sum() + np.exp(own)) - own
    got = float(ItemSoftmax()(given).value[0])
    assert got == pytest.approx(wanted, abs=0.05)
    plain = float(ItemSoftmax(logq=False)(given).value[0])
    assert abs(plain - wanted) > 0.5


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_blocks_of_positions_change_neither_values_nor_gradients(smoothing):
    random, given = np.random.default_rng(3), outputs(drawn=7)
    weight, value = random.normal(size=(6, 2)), random.normal(size=9)
    at, feature = random.integers(0, 6 * 7, 9), random.integers(0, 2, 9)
    pairs = PairFeatures(weight, at, feature, value)
    given = jax.tree.map(jnp.asarray, given.replace(pairs=pairs))
    wanted = np.array(given.user)
    np.add.at(wanted, divmod(at, 7), weight[at // 7, feature] * value)
    np.testing.assert_allclose(given.drawn, wanted, rtol=1e-5)

    def learned(rows):
        def total(user, item, weight):
            pairs = given.pairs.replace(weight=weight)
            changes = {"user": user, "drawn_item": item, "pairs": pairs}
            got = ItemSoftmax(label_smoothing=smoothing)(given.replace(**changes))
            return jnp.vdot(got.value, given.weight), got

        of = given.user, given.drawn_item, given.pairs.weight
        with executing(Execution(softmax_rows=rows)):
            return jax.value_and_grad(total, (0, 1, 2), has_aux=True)(*of)

    whole, blocks = learned(6), learned(2)
    jax.tree.map(
        partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), whole, blocks
    )


def test_l2_is_the_distance():
    given = outputs()
    np.testing.assert_array_equal(L2()(given).value, given.distance)
