"""Both forms of the GRU against NumPy, and against Flax where it has the form."""

from functools import partial

import flax.linen as nn
import jax
import numpy as np
import pytest

from recjax.nn.gru import Gru, gru_step


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numpy_step(x, h, w, b, u, c, reset):
    """One step, gate by gate, as the papers write it."""
    wz, wr, wh = np.split(w, 3, 1)
    bz, br, bh = np.split(b, 3)
    uz, ur, uh = np.split(u, 3, 1)
    z = sigmoid(x @ wz + bz + h @ uz)
    r = sigmoid(x @ wr + br + h @ ur)
    if reset == "before":
        n = np.tanh(x @ wh + bh + (r * h) @ uh)
    else:
        n = np.tanh(x @ wh + bh + r * (h @ uh + c))
    return (1 - z) * n + z * h


def made(reset, seed=0, width=4, inputs=3):
    random = np.random.default_rng(seed)
    shapes = [(inputs, 3 * width), (3 * width,), (width, 3 * width), (width,)]
    return [random.normal(size=s).astype(np.float32) for s in shapes]


@pytest.mark.parametrize("reset", ["before", "after"])
def test_step_against_numpy(reset):
    w, b, u, c = made(reset)
    random = np.random.default_rng(1)
    x, h = random.normal(size=(5, 3)), random.normal(size=(5, 4))
    got = gru_step((x @ w + b).astype(np.float32), h.astype(np.float32), u, c, reset)
    np.testing.assert_allclose(got, numpy_step(x, h, w, b, u, c, reset), atol=1e-5)


def test_the_forms_differ():
    w, b, u, _ = made("before")
    x, h = np.ones((1, 3), np.float32), np.ones((1, 4), np.float32)
    forms = ("before", "after")
    one, other = (gru_step(x @ w + b, h, u, np.zeros(4), form) for form in forms)
    assert np.abs(one - other).max() > 1e-3


def test_reset_after_is_flax():
    w, b, u, c = made("after")
    gates = {"z": 0, "r": 1, "n": 2}
    params = {}
    for gate, at in gates.items():
        own = slice(4 * at, 4 * at + 4)
        params[f"i{gate}"] = {"kernel": w[:, own], "bias": b[own]}
        params[f"h{gate}"] = {"kernel": u[:, own]}
    params["hn"]["bias"] = c
    random = np.random.default_rng(2)
    x = random.normal(size=(5, 3)).astype(np.float32)
    h = random.normal(size=(5, 4)).astype(np.float32)
    wanted, _ = nn.GRUCell(4).apply({"params": params}, h, x)
    np.testing.assert_allclose(gru_step(x @ w + b, h, u, c, "after"), wanted, atol=1e-6)


@pytest.mark.parametrize(
    "reset", ["before", pytest.param("after", marks=pytest.mark.slow)]
)
def test_rows_with_starts_holes_and_layers(reset):
    random = np.random.default_rng(3)
    x = random.normal(size=(2, 7, 3)).astype(np.float32)
    state = random.normal(size=(2, 8)).astype(np.float32)
    update = random.random((2, 7)) < 0.7
    start = update & (random.random((2, 7)) < 0.4)
    assert start.any() and not start.all() and not update.all()
    initial = random.normal(size=(2, 7, 8)).astype(np.float32)
    gru = Gru(4, 2, reset)
    params = jax.jit(gru.init)(jax.random.key(0), x, state, update, start, initial)
    got = jax.jit(gru.apply)(params, x, state, update, start, initial)
    got, params = jax.device_get((got, params))  # NumPy alone below: JAX would compile
    for row in range(2):
        held = [state[row, :4], state[row, 4:]]
        for at in range(7):
            below = x[row, at]
            for layer in range(2):
                p = params["params"][f"layer_{layer}"]
                if start[row, at]:
                    held[layer] = initial[row, at, 4 * layer : 4 * layer + 4]
                if update[row, at]:
                    c = p.get("bias", np.zeros(4))
                    held[layer] = numpy_step(
                        below,
                        held[layer],
                        p["input"]["kernel"],
                        p["input"]["bias"],
                        p["recurrent"],
                        c,
                        reset,
                    )
                below = held[layer]
            np.testing.assert_allclose(got[row, at], np.concatenate(held), atol=1e-5)


def test_dropout_acts_in_training_alone():
    x = np.ones((2, 3, 3), np.float32)
    state, yes, no = np.zeros((2, 4)), np.ones((2, 3), bool), np.zeros((2, 3), bool)
    gru = Gru(4, dropout=0.5)
    params = jax.jit(gru.init)(jax.random.key(0), x, state, yes, no)
    still = jax.jit(gru.apply)(params, x, state, yes, no)
    train = jax.jit(partial(gru.apply, train=True))
    moved = train(params, x, state, yes, no, rngs={"dropout": jax.random.key(1)})
    assert (np.asarray(moved) == 0).any() and not (np.asarray(still) == 0).any()
