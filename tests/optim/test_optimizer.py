"""Which rule covers what, schedules, and clipping."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from recjax.errors import UserError
from recjax.optim import Adam, Constant, Lamb, Optimizer, RowwiseAdagrad, WarmupCosine

PARAMS = {"query": {"kernel": jnp.ones((2, 2))}, "bias": jnp.ones(3)}


def test_the_first_pattern_that_matches_the_whole_path_decides():
    slow, fast = RowwiseAdagrad(0.1), RowwiseAdagrad(0.9)
    rules = {"tables/item": slow, "tables/.*": fast}
    optimizer = Optimizer(rules)
    assert optimizer.row_rule("item") is slow
    assert optimizer.row_rule("item_2") is fast


def test_each_part_moves_at_its_own_rate():
    optimizer = Optimizer({"query/.*": Adam(0.1), ".*": Adam(0.001)}, clip=None)
    transform = optimizer.dense(PARAMS, 10)
    updates, _ = transform.update(PARAMS, transform.init(PARAMS), PARAMS)
    np.testing.assert_allclose(updates["query"]["kernel"], -0.1, rtol=1e-4)
    np.testing.assert_allclose(updates["bias"], -0.001, rtol=1e-4)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"query/.*": Adam(0.1)}, "no rule covers 'bias'"),
        ({".*": RowwiseAdagrad(0.1)}, "covers dense parameters"),
    ],
)
def test_dense_parameters_need_a_dense_rule(rules, message):
    with pytest.raises(UserError, match=message):
        Optimizer(rules).dense(PARAMS, 10)


@pytest.mark.parametrize("rules", [{".*": Adam(0.1)}, {"query/.*": Adam(0.1)}])
def test_tables_need_a_row_rule(rules):
    with pytest.raises(UserError, match="no row rule covers 'tables/item'"):
        Optimizer(rules).row_rule("item")


def test_clipping_bounds_the_norm_of_all_dense_gradients_together():
    class Plain:
        def transform(self, factor):
            return optax.sgd(1.0)

    transform = Optimizer({".*": Plain()}, clip=0.5).dense(PARAMS, 10)
    updates, _ = transform.update(PARAMS, transform.init(PARAMS), PARAMS)
    assert float(optax.tree.norm(updates)) == pytest.approx(0.5)


def test_lamb_follows_the_schedule():
    optimizer = Optimizer({".*": Lamb(0.1)}, WarmupCosine(4), clip=None)
    transform = optimizer.dense(PARAMS, 10)
    state, sizes = transform.init(PARAMS), []
    for _ in range(3):
        updates, state = transform.update(PARAMS, state, PARAMS)
        sizes.append(float(jnp.abs(updates["bias"]).max()))
    np.testing.assert_allclose(np.divide(sizes, sizes[0]), [1, 2, 3], rtol=0.05)


def test_warmup_rises_and_cosine_falls():
    factors = [float(WarmupCosine(4, final=0.1)(step, 20)) for step in range(21)]
    np.testing.assert_allclose(factors[:4], [0.25, 0.5, 0.75, 1.0])
    assert factors[12] == pytest.approx(0.55)
    assert factors[20] == pytest.approx(0.1)
    assert all(a >= b for a, b in zip(factors[4:], factors[5:], strict=False))
    assert float(Constant()(7, 20)) == 1
