"""Sampled softmax: the correction has the right sign, the masks hide enough."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recjax.losses import SampledSoftmax
from recjax.outputs import Retrieval


def outputs(seed=0, pairs=7, drawn=6, width=5, items=6, queries=4):
    """Returns random outputs in which items and queries repeat."""
    random = np.random.default_rng(seed)
    logq = np.log(random.dirichlet(np.ones(items))).astype(np.float32)
    draw = np.log(random.dirichlet(np.ones(items))).astype(np.float32)
    positive = random.integers(0, items, pairs)
    negative = random.integers(0, items, drawn)
    negative[-1] = -1
    vectors = random.normal(size=(2 * pairs + drawn, width)).astype(np.float32)
    return Retrieval(
        query=vectors[:pairs],
        positive=vectors[pairs : 2 * pairs],
        negative=vectors[2 * pairs :],
        scale=np.float32(1.7),
        query_id=random.integers(0, queries, pairs),
        positive_id=positive,
        negative_id=negative,
        positive_logq=logq[positive],
        negative_logq=logq[negative],
        positive_draw_logq=draw[positive],
        negative_draw_logq=draw[negative],
        weight=random.random(pairs).astype(np.float32),
    )


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


# Inputs and values of OmniSearchSage's published tests: four pairs, one drawn item.
FOUR_QUERIES = np.array([[0, 1], [1, 0], [1, 1], [1, 1]], np.float32)
FOUR_POSITIVES = np.array([[3, 3], [11, 11], [14, 14], [1, 0]], np.float32)
FOUR_POSITIVES /= np.linalg.norm(FOUR_POSITIVES, axis=1, keepdims=True)
ONE_NEGATIVE = np.array([[1, 2]], np.float32) / np.float32(np.sqrt(5))


def published(query_id, counts):
    """Returns their outputs; counts: pairs of ids -> how often seen, as they count."""
    positive = [3, 7, 1, 1]
    total = sum(counts.values())
    of_query, of_item = {}, {}
    for (query, item), count in counts.items():
        of_query[query] = of_query.get(query, 0) + count
        of_item[item] = of_item.get(item, 0) + count
    pairs = zip(query_id, positive, strict=True)
    given = [np.log(counts[q, p] / of_query[q]) for q, p in pairs]
    logq = np.log([of_item[p] / total for p in positive])
    return Retrieval(
        query=FOUR_QUERIES,
        positive=FOUR_POSITIVES,
        negative=ONE_NEGATIVE,
        scale=np.float32(1 / 0.07),
        query_id=np.array(query_id),
        positive_id=np.array(positive),
        negative_id=np.array([4]),
        positive_logq=logq.astype(np.float32),
        negative_logq=np.zeros(1, np.float32),
        positive_draw_logq=np.zeros(4, np.float32),
        negative_draw_logq=np.zeros(1, np.float32),
        weight=np.ones(4, np.float32),
        given_query_logq=np.array(given, np.float32),
    )


def count_pairs(*batches):
    counts = {}
    for queries in batches:
        for pair in zip(queries, [3, 7, 1, 1], strict=True):
            counts[pair] = counts.get(pair, 0) + 1
    return counts


AS_PUBLISHED = {
    "in_batch": SampledSoftmax(given_query=True),
    "random": SampledSoftmax(
        in_batch=False, random=True, given_query=True, mask_same_query=False
    ),
}
FIRST, SECOND = [1, 3, 7, 9], [7, 7, 9, 7]


@pytest.mark.parametrize(
    "seen, values",
    [([FIRST], (3.0478, 1.9896)), ([FIRST, SECOND, FIRST], (2.9703, 1.9619))],
)
def test_published_values(seen, values):
    out = published(FIRST, count_pairs(*seen))
    for loss, value in zip(AS_PUBLISHED.values(), values, strict=True):
        assert float(loss(out).value.mean()) == pytest.approx(value, abs=1e-3)


def test_published_values_of_each_width():
    out = published(FIRST, count_pairs(FIRST))
    found = []
    for loss in AS_PUBLISHED.values():
        got = replace(loss, widths=((1, 0.5), (2, 1.0)))(out)
        one, two = (float(got.monitors[f"loss_{w}"].mean()) for w in (1, 2))
        found.append((0.5 * one, two))
        assert float(got.value.mean()) == pytest.approx(0.5 * one + two, rel=1e-5)
    (in_1, in_2), (random_1, random_2) = found
    wanted = [0.5493, 0.3466, 2.6161, 1.6603]
    assert [in_1, random_1, in_2, random_2] == pytest.approx(wanted, abs=1e-3)


def test_a_part_of_several_outputs():
    out = outputs()
    several = {"pin": out, "product": outputs(1)}
    found = SampledSoftmax(of="pin")(several).value
    np.testing.assert_array_equal(found, SampledSoftmax()(out).value)


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("widths", [(), ((2, 0.3), (5, 1.0))])
def test_blocks_of_rows_change_nothing(rows, widths):
    out = outputs(pairs=6)
    whole = SampledSoftmax(random=True, label_smoothing=0.1, widths=widths)
    blocks = replace(whole, rows_at_once=rows)

    def total(loss):
        def of(vectors):
            got = loss(out.replace(**vectors))
            return jnp.vdot(got.value, got.weight), got

        names = ("query", "positive", "negative", "scale")
        vectors = {name: jnp.asarray(getattr(out, name)) for name in names}
        return jax.value_and_grad(of, has_aux=True)(vectors)

    wanted, found = total(whole), total(blocks)
    flat = zip(jax.tree.leaves(wanted), jax.tree.leaves(found), strict=True)
    for one, other in flat:
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_blocks_need_less_memory():
    def working_memory(rows_at_once):
        loss = SampledSoftmax(
            random=True, mask_same_query=False, rows_at_once=rows_at_once
        )
        out = jax.tree.map(jnp.asarray, outputs(pairs=512, drawn=2048))
        names = ("query", "positive", "negative")

        def of(vectors):
            return loss(out.replace(**vectors)).value.sum()

        vectors = {name: getattr(out, name) for name in names}
        compiled = jax.jit(jax.grad(of)).lower(vectors).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    assert working_memory(32) < working_memory(None) / 6


def test_blocks_that_do_not_divide():
    with pytest.raises(ValueError, match="rows_at_once 4 does not divide a batch of 7"):
        SampledSoftmax(rows_at_once=4)(outputs())


def test_given_query_needs_its_figures():
    with pytest.raises(ValueError, match="no log P"):
        SampledSoftmax(given_query=True)(outputs())
