"""Sampled softmax: the correction has the right sign, the masks hide enough."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from retrieval import outputs

from recjax.losses import SampledSoftmax
from recjax.outputs import Retrieval


def naive(loss, out):
    """Returns the loss and the number of columns of each row, one by one."""
    pairs, drawn = len(out.query), len(out.negative)

    def log_count(logq, draw_logq):
        count = 0.0
        if loss.in_batch:
            count += np.exp(np.float64(logq)) * (pairs - 1)
        if loss.random:
            count += np.exp(np.float64(draw_logq)) * drawn
        return np.log(count) if loss.logq else 0.0

    def dot(x, y):
        return float(out.scale) * float(np.dot(x.astype(float), y.astype(float)))

    values, counts = [], []
    for i in range(pairs):
        own = dot(out.query[i], out.positive[i])
        own -= log_count(out.positive_logq[i], out.positive_draw_logq[i])
        liked = {
            out.positive_id[j]
            for j in range(pairs)
            if out.query_id[j] == out.query_id[i]
        }
        logits = []
        for j in range(pairs if loss.in_batch else 0):
            same_item = out.positive_id[j] == out.positive_id[i]
            same_query = out.query_id[j] == out.query_id[i]
            if i == j or (loss.mask_same_item and same_item):
                continue
            if loss.mask_same_query and same_query:
                continue
            logit = dot(out.query[i], out.positive[j])
            logit -= log_count(out.positive_logq[j], out.positive_draw_logq[j])
            logits.append(logit)
        for j in range(drawn if loss.random else 0):
            item = out.negative_id[j]
            if item < 0 or (loss.mask_same_item and item == out.positive_id[i]):
                continue
            if loss.mask_same_query and item in liked:
                continue
            logit = dot(out.query[i], out.negative[j])
            logit -= log_count(out.negative_logq[j], out.negative_draw_logq[j])
            logits.append(logit)
        every = np.array([own, *logits])
        total = np.log(np.sum(np.exp(every)))
        smooth = np.mean(total - every)
        share = loss.label_smoothing
        values.append((1 - share) * (total - own) + share * smooth)
        counts.append(len(logits))
    return np.array(values), np.array(counts)


@pytest.mark.parametrize("columns", ["in_batch", "random", "both"])
@pytest.mark.parametrize("logq", [True, False])
@pytest.mark.parametrize("masks", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_same_as_one_row_after_the_other(columns, logq, masks, smoothing):
    loss = SampledSoftmax(
        in_batch=columns != "random",
        random=columns != "in_batch",
        logq=logq,
        mask_same_item=masks[0],
        mask_same_query=masks[1],
        label_smoothing=smoothing,
    )
    for seed in range(3):
        out = outputs(seed)
        got = loss(out)
        values, counts = naive(loss, out)
        np.testing.assert_allclose(got.value, values, rtol=2e-5, atol=2e-5)
        np.testing.assert_array_equal(got.monitors["negatives"], counts)
        np.testing.assert_array_equal(got.weight, out.weight)


def test_columns_that_only_fill_up_the_shape_are_hidden():
    loss, out = SampledSoftmax(in_batch=False, random=True), outputs()
    wild = out.negative.copy()
    wild[-1] = 1e6
    same = loss(out.replace(negative=wild)).value
    np.testing.assert_array_equal(same, loss(out).value)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("random", [False, True])
def test_a_row_without_columns_has_no_loss_and_finite_gradients(random, smoothing):
    out = outputs()
    alone = np.zeros_like(out.query_id)
    out = out.replace(query_id=alone, negative_id=np.full_like(out.negative_id, -1))
    loss = SampledSoftmax(random=random, label_smoothing=smoothing)

    def total(query, positive, negative, scale):
        moved = out.replace(
            query=query, positive=positive, negative=negative, scale=scale
        )
        return jnp.sum(loss(moved).value)

    value, grads = jax.value_and_grad(total, argnums=(0, 1, 2, 3))(
        out.query, out.positive, out.negative, out.scale
    )
    assert float(value) == 0
    assert all(bool(jnp.all(g == 0)) for g in grads)


def test_without_any_columns_there_is_nothing_to_learn():
    with pytest.raises(ValueError, match="in_batch or random"):
        SampledSoftmax(in_batch=False, random=False)


def test_the_whole_corpus_once_is_the_full_softmax():
    random = np.random.default_rng(1)
    items, pairs = 9, 5
    corpus = random.normal(size=(items, 4)).astype(np.float32)
    queries = random.normal(size=(pairs, 4)).astype(np.float32)
    chosen = random.integers(0, items, pairs)
    uniform = np.float32(-np.log(items))
    out = outputs(pairs=pairs, drawn=items, width=4).replace(
        query=queries,
        positive=corpus[chosen],
        negative=corpus,
        scale=np.float32(1),
        query_id=np.arange(pairs),
        positive_id=chosen,
        negative_id=np.arange(items),
        positive_draw_logq=np.full(pairs, uniform),
        negative_draw_logq=np.full(items, uniform),
    )
    logits = (queries @ corpus.T).astype(float)
    full = np.log(np.exp(logits).sum(1)) - logits[np.arange(pairs), chosen]
    got = SampledSoftmax(in_batch=False, random=True)(out).value
    np.testing.assert_allclose(got, full, rtol=1e-5)


def scalar_outputs(logits, items, log_share):
    """Returns in-batch outputs whose logit of item i is `logits[i]` for any query."""
    size = len(items)
    none = jnp.zeros((0, 1))
    return Retrieval(
        query=jnp.ones((size, 1)),
        positive=logits[items][:, None],
        negative=none,
        scale=jnp.float32(1),
        query_id=jnp.arange(size),
        positive_id=items,
        negative_id=jnp.zeros(0, jnp.int32),
        positive_logq=log_share[items],
        negative_logq=jnp.zeros(0),
        positive_draw_logq=jnp.zeros(size),
        negative_draw_logq=jnp.zeros(0),
        weight=jnp.ones(size),
    )


def test_corrected_gradient_is_that_of_the_full_softmax():
    items, size = 20, 2_048
    random = np.random.default_rng(0)
    share = np.sort(random.dirichlet(np.full(items, 0.7)) * 0.9 + 0.1 / items)
    logits = jnp.asarray(random.normal(size=items), jnp.float32)
    log_share = jnp.log(jnp.asarray(share, jnp.float32))
    drawn = jnp.asarray(random.choice(items, (16, size), p=share))

    def gradient(loss, log_share):
        def total(logits):
            def one(batch):
                return jnp.mean(loss(scalar_outputs(logits, batch, log_share)).value)

            return jnp.mean(jax.lax.map(one, drawn))

        return np.asarray(jax.jit(jax.grad(total))(logits))

    # The positive's own columns are seen: then the estimate has no bias at all.
    corrected = SampledSoftmax(mask_same_item=False)
    full = np.asarray(jax.nn.softmax(logits)) - share
    error = np.abs(gradient(corrected, log_share) - full).max()
    plain = np.abs(gradient(replace(corrected, logq=False), log_share) - full).max()
    wrong = np.abs(gradient(corrected, -log_share) - full).max()
    assert error < 0.01
    assert plain > 5 * error and wrong > 5 * error


def test_sign_of_the_correction_decides_what_is_learned():
    # In-batch negatives are drawn like positives. What the full softmax learns is the
    # log of the popularity (slope 1); without the correction nothing is left of it
    # (slope 0), and the wrong sign learns the opposite (slope -1; TFRS issue 219).
    items, size, steps = 64, 64, 600
    share = 1 / (np.arange(items) + 8.0)
    share /= share.sum()
    log_share = jnp.log(jnp.asarray(share, jnp.float32))

    def slope(loss, log_share):
        def total(logits, batch):
            return jnp.mean(loss(scalar_outputs(logits, batch, log_share)).value)

        def step(carry, key):
            logits, mean = carry
            batch = jax.random.choice(key, items, (size,), p=jnp.asarray(share))
            logits -= 2.0 * jax.grad(total)(logits, batch)
            return (logits, mean + logits / (steps // 2)), logits

        keys = jax.random.split(jax.random.key(0), steps)
        start = (jnp.zeros(items), jnp.zeros(items))
        _, path = jax.jit(lambda keys: jax.lax.scan(step, start, keys))(keys)
        learned = np.asarray(path[steps // 2 :].mean(0))
        return np.polyfit(np.log(share), learned, 1)[0]

    assert slope(SampledSoftmax(), log_share) == pytest.approx(1, abs=0.15)
    assert slope(SampledSoftmax(logq=False), log_share) == pytest.approx(0, abs=0.15)
    assert slope(SampledSoftmax(), -log_share) == pytest.approx(-1, abs=0.3)
