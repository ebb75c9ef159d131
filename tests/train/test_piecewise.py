"""A loss whose factor changes during a run."""

from dataclasses import replace

import jax
import numpy as np
import pytest
import small

from recjax.losses import Piecewise, SampledSoftmax
from recjax.optim import Adam, Optimizer, RowwiseAdagrad
from recjax.sharding.mesh import make_mesh
from recjax.sharding.placement import put_batch
from recjax.train.program import Program

STEPS = 4


def course(weight):
    """Returns the state and the report of every step."""
    made = small.experiment(
        steps=STEPS,
        losses={"softmax": SampledSoftmax(random=True, weight=weight)},
        optimizer=Optimizer({"tables/.*": RowwiseAdagrad(0.05), ".*": Adam(1e-2)}),
    )
    data = made.data.open(made.seed)
    program = Program(made, small.runtime(), data, make_mesh({"data": 1}))
    state, step, batches = program.init(), program.step(), program.batches(0)
    found = []
    for _ in range(STEPS):
        state, report = step(state, put_batch(next(batches), program.mesh))
        found.append(jax.device_get((state, report)))
    return found


@pytest.fixture(scope="module")
def whole():
    return course(1.0)


def test_each_stage_has_its_own_factor(whole):
    staged = course(Piecewise(before=1.0, after=0.0, at=0.5))
    for (state, report), (wanted, other) in zip(staged[:2], whole[:2], strict=True):
        jax.tree.map(np.testing.assert_array_equal, state, wanted)
        assert report.means["loss"][0] == other.means["loss"][0] > 0
    for _, report in staged[2:]:
        assert report.means["loss"][0] == report.values["grad_norm"] == 0
        assert report.means["softmax/loss"][0] > 0
    first, last = staged[1][0], staged[-1][0]
    np.testing.assert_array_equal(first.tables["film"], last.tables["film"])
    assert np.abs(whole[-1][0].tables["film"] - whole[1][0].tables["film"]).max() > 0


@pytest.mark.parametrize(("at", "factor"), [(0.0, 3.0), (1.0, 1.0)])
def test_a_change_at_an_end_is_none(whole, at, factor):
    stages = Piecewise(1.0, 3.0, at)
    assert {float(stages(step, STEPS)) for step in range(STEPS)} == {factor}
    totals = [report.means["loss"][0] for _, report in course(stages)]
    first = whole[0][1].means["loss"][0]
    np.testing.assert_allclose(totals[0], factor * first, rtol=1e-6)


def test_a_time_outside_the_run_is_refused():
    with pytest.raises(ValueError, match=r"at = 1\.5: must be a share"):
        replace(Piecewise(1.0, 0.0), at=1.5)
