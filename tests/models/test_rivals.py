"""Rivals by name: as many parameters as HierTCN, and honest names."""

from typing import get_args

import jax
import numpy as np
import pytest
import sessions as support

from recjax.models.rivals import Kind, Rival, equal_sized, makers, parameters

WIDTH = 16
SLOW = ("gru", "tcn", "hrnn")


def test_parameters_are_those_of_an_encoder_that_was_made():
    encoder = support.ENCODERS["gru4rec"]
    data = support.opened(support.sessions())
    params, _ = support.started(encoder, data)
    made = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert parameters(encoder, support.WIDTH) == made


def test_a_gru_has_the_parameters_of_its_formula():
    hidden = 12
    encoder = makers(WIDTH)["gru4rec"](hidden)
    # Three gates over item, session start, bias and state; then the output layer.
    gates = 3 * hidden * (WIDTH + 1 + 1 + hidden)
    assert parameters(encoder, WIDTH) == gates + (hidden + 1) * WIDTH


@pytest.mark.parametrize(
    "kind", ["gru4rec", *(pytest.param(k, marks=pytest.mark.slow) for k in SLOW)]
)
def test_rivals_are_as_near_hiertcn_as_their_widths_allow(kind):
    make = makers(WIDTH)
    target = parameters(make["hiertcn"](WIDTH), WIDTH)
    found = parameters(Rival(kind, WIDTH).encoder, WIDTH)
    every = [parameters(make[kind](4 * k), WIDTH) for k in range(1, 12)]
    assert abs(found - target) == np.abs(np.array(every) - target).min()
    assert equal_sized(make[kind], every[4], WIDTH) == make[kind](20)


def test_a_size_is_taken_as_it_is():
    rival = Rival("hiergru", WIDTH, size=8, dropout=0.3)
    assert rival.encoder == makers(WIDTH, dropout=0.3)["hiergru"](8)


def test_names():
    assert set(get_args(Kind)) == set(makers(WIDTH))
    with pytest.raises(ValueError, match="choose one of"):
        Rival("lstm", WIDTH)
