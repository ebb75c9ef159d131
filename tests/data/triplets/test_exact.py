import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from triplet_oracle import p_value, probabilities, relevance_matrix

from recjax.data.triplets.exact import TripletRules, TripletSampler
from recjax.data.triplets.relevance import from_blocks, from_classes
from recjax.errors import UserError


def table():
    """Nine images of two categories, relevance of pairs, one image without any."""
    generator = np.random.default_rng(3)
    category = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1])
    blocks = []
    for size in (5, 4):
        block = generator.gamma(1.0, size=(size, size)).round(2)
        blocks.append(((block + block.T) / 2).astype(np.float32))
    blocks[0][4] = blocks[0][:, 4] = 0
    return from_blocks(category, blocks)


def classes():
    """Classes of several sizes, one of a single image; a category of one image."""
    fine = np.repeat([0, 1, 2, 3, 4], [3, 2, 1, 4, 1])
    middle = np.array([0, 0, 1, 2, 3])[fine]
    coarse = np.array([0, 0, 0, 1, 2])[fine]
    return from_classes(np.stack([coarse, middle, fine], 1), (0.2, 0.6, 1.0))


RULES = [
    TripletRules(),
    TripletRules(cap=0.5, margin=0.3, tries=1),
    TripletRules(margin=0.4, tries=3),
    TripletRules(margin=0.1, weighted=False),
]


@pytest.mark.parametrize("known", [table(), classes()], ids=["table", "classes"])
@pytest.mark.parametrize("rules", RULES, ids=range(len(RULES)))
@pytest.mark.parametrize("outside", [False, True])
def test_triplets_have_the_probabilities_of_the_formulas(known, rules, outside):
    rules = TripletRules(**{**vars(rules), "out_of_class": float(outside)})
    want = probabilities(relevance_matrix(known), known.image_category, rules, outside)
    generator = np.random.default_rng(1)
    got = TripletSampler(known, rules).draw(generator, 60_000)
    counts = np.zeros(want.shape)
    np.add.at(counts, (got.query, got.positive, got.negative), 1)
    assert p_value(counts, want) > 1e-3


def test_a_wrong_probability_is_found_out():
    known = table()
    r = relevance_matrix(known)
    want = probabilities(r, known.image_category, TripletRules(cap=1.0), False)
    got = TripletSampler(known, TripletRules(out_of_class=0)).draw(
        np.random.default_rng(1), 60_000
    )
    counts = np.zeros(want.shape)
    np.add.at(counts, (got.query, got.positive, got.negative), 1)
    assert p_value(counts, want) < 1e-6


def test_negatives_come_from_other_categories_in_their_share():
    known = table()
    rules = TripletRules(out_of_class=0.3, margin=0.5, tries=1)
    got = TripletSampler(known, rules).draw(np.random.default_rng(0), 20_000)
    other = known.image_category[got.query] != known.image_category[got.negative]
    assert abs(other.mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 20_000)


@given(
    seed=st.integers(0, 10_000),
    margin=st.floats(0, 0.6),
    share=st.floats(0, 1),
    cap=st.floats(0.05, 2),
)
def test_every_triplet_keeps_the_rules(seed, margin, share, cap):
    generator = np.random.default_rng(seed)
    labels = np.sort(generator.integers(0, 6, (30, 1)), axis=0)
    labels = np.c_[labels // 3, labels]
    known = from_classes(labels, (0.3, 1.0))
    sampler = TripletSampler(known, TripletRules(share, cap, margin, tries=2))
    try:
        got = sampler.draw(generator, 200)
    except UserError:
        return  # 30 random labels may allow none
    r = relevance_matrix(known)
    assert (got.query != got.positive).all() and (got.query != got.negative).all()
    np.testing.assert_allclose(got.positive_relevance, r[got.query, got.positive])
    np.testing.assert_allclose(got.negative_relevance, r[got.query, got.negative])
    assert (got.positive_relevance - got.negative_relevance >= margin - 1e-5).all()
    assert (got.positive_relevance > got.negative_relevance).all()


def test_the_same_generator_gives_the_same_triplets():
    sampler = TripletSampler(classes())
    one, two = (sampler.draw(np.random.default_rng(7), 50) for _ in range(2))
    for a, b in itertools.zip_longest(one, two):
        np.testing.assert_array_equal(a, b)


def test_places_in_a_draw_are_alike():
    """Hosts take their rows of a draw: no position may prefer early images."""
    got = TripletSampler(classes()).draw(np.random.default_rng(0), 20_000)
    halves = np.array([got.query[:10_000].mean(), got.query[10_000:].mean()])
    assert abs(np.diff(halves)[0]) < 6 * got.query.std() / np.sqrt(10_000)


@pytest.mark.parametrize(
    "rules, said",
    [
        (TripletRules(margin=9.0, out_of_class=0), "differs by margin = 9"),
        (TripletRules(margin=9.0, out_of_class=1), "highest relevance is"),
    ],
)
def test_rules_that_allow_nothing_say_so(rules, said):
    with pytest.raises(UserError, match=said):
        TripletSampler(table(), rules).draw(np.random.default_rng(0), 4)


def test_one_category_has_no_other():
    known = from_blocks(np.zeros(3, int), [np.ones((3, 3))])
    with pytest.raises(UserError, match="two or more categories"):
        TripletSampler(known, TripletRules(out_of_class=1.0)).draw(
            np.random.default_rng(0), 4
        )


@pytest.mark.parametrize(
    "setting", [{"out_of_class": 1.1}, {"cap": 0}, {"margin": -1}, {"tries": 0}]
)
def test_settings_outside_their_range_are_refused(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        TripletRules(**setting)
