"""Softmax as OmniSearchSage publishes it: its values, widths, and blocks of rows."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from retrieval import outputs

from recjax.execution import Execution, executing
from recjax.losses import SampledSoftmax
from recjax.outputs import Retrieval

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


def test_a_width_that_the_vectors_do_not_have():
    with pytest.raises(ValueError, match="widths: 3 of vectors of 2"):
        SampledSoftmax(widths=((1, 0.5), (3, 1.0)))(outputs(width=2))


def test_a_part_of_several_outputs():
    out = outputs()
    several = {"pin": out, "product": outputs(1)}
    found = SampledSoftmax(of="pin")(several).value
    np.testing.assert_array_equal(found, SampledSoftmax()(out).value)
    with pytest.raises(ValueError, match="of = 'pins': the model has pin, product"):
        SampledSoftmax(of="pins")(several)
    with pytest.raises(ValueError, match="of = None: the model has pin, product"):
        SampledSoftmax()(several)
    with pytest.raises(ValueError, match="of = 'pin': the model has None"):
        SampledSoftmax(of="pin")(out)


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("widths", [(), ((2, 0.3), (5, 1.0))])
def test_blocks_of_rows_change_nothing(rows, widths):
    out = outputs(pairs=6)
    whole = SampledSoftmax(random=True, label_smoothing=0.1, widths=widths)

    def total(rows):
        def of(vectors):
            with executing(Execution(softmax_rows=rows)):
                got = whole(out.replace(**vectors))
            return jnp.vdot(got.value, got.weight), got

        names = ("query", "positive", "negative", "scale")
        vectors = {name: jnp.asarray(getattr(out, name)) for name in names}
        return jax.value_and_grad(of, has_aux=True)(vectors)

    wanted, found = total(0), total(rows)
    flat = zip(jax.tree.leaves(wanted), jax.tree.leaves(found), strict=True)
    for one, other in flat:
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_blocks_need_less_memory():
    loss = SampledSoftmax(random=True, mask_same_query=False)

    def working_memory(rows):
        out = jax.tree.map(jnp.asarray, outputs(pairs=512, drawn=2048))
        names = ("query", "positive", "negative")

        def of(vectors):
            with executing(Execution(softmax_rows=rows)):
                return loss(out.replace(**vectors)).value.sum()

        vectors = {name: getattr(out, name) for name in names}
        compiled = jax.jit(jax.grad(of)).lower(vectors).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    assert working_memory(32) < working_memory(0) / 6


def test_blocks_that_do_not_divide():
    wanted = "runtime.softmax_rows = 4 does not divide a batch of 7"
    with pytest.raises(ValueError, match=wanted), executing(Execution(softmax_rows=4)):
        SampledSoftmax()(outputs())


def test_given_query_needs_its_figures():
    with pytest.raises(ValueError, match="no log P"):
        SampledSoftmax(given_query=True)(outputs())
