"""Networks over few images at a time are the networks over all at once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recjax.nn.few import few_at_a_time


def network(weights, x):
    """Returns two arrays a row, as a tree."""
    made = jnp.tanh(x @ weights)
    return {"mean": made.mean(1), "rows": made[:, 0]}


@pytest.mark.parametrize(("rows", "most"), [(12, 8), (12, 1), (13, 8), (4, 8), (6, 6)])
def test_values_and_gradients_are_those_of_all_rows_at_once(rows, most):
    weights, x = (
        jax.random.normal(jax.random.key(n), shape)
        for n, shape in enumerate([(5, 7), (rows, 3, 5)])
    )

    def loss(weights, x, at_once):
        made = (
            network(weights, x)
            if at_once
            else few_at_a_time(lambda few: network(weights, few), x, most)
        )
        assert made["mean"].shape == (rows, 7) and made["rows"].shape == (rows, 7)
        order = jnp.arange(rows)[:, None]
        return (made["mean"] * order + made["rows"] ** 2).sum(), made

    both = jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True), static_argnums=2)
    wanted, got = both(weights, x, True), both(weights, x, False)
    for one, other in zip(jax.tree.leaves(wanted), jax.tree.leaves(got), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_a_batch_of_no_size_yet():
    """As in an exported function."""
    scope = jax.export.SymbolicScope()
    (size,) = jax.export.symbolic_shape("b", scope=scope)
    shape = jax.ShapeDtypeStruct((size, 3, 5), jnp.float32)
    weights = jax.random.normal(jax.random.key(0), (5, 7))
    call = jax.jit(lambda x: few_at_a_time(lambda few: network(weights, few), x, 8))
    made = jax.export.export(call, platforms=["cpu", "tpu"])(shape)
    x = jax.random.normal(jax.random.key(1), (9, 3, 5))
    np.testing.assert_allclose(
        made.call(x)["mean"], network(weights, x)["mean"], rtol=1e-5, atol=1e-6
    )
