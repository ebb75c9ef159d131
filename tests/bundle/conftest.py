"""One session model for all tests of its bundle: its parts take long to compile."""

from dataclasses import replace

import jax
import numpy as np
import pytest
import session_columns
import sessions as support

from recjax.bundle.session import SessionBundle
from recjax.data.identity import Identity
from recjax.data.sessions.habits import Habits
from recjax.data.sessions.recent_popularity import RecentPopularity, Window
from recjax.data.sessions.repeats import Repeats
from recjax.data.sessions.transitions import Transitions
from recjax.experiment import Experiment, Runtime
from recjax.losses.pairwise import ItemSoftmax
from recjax.models.session_model import SessionModel
from recjax.optim import Adam, Optimizer, RowwiseAdagrad
from recjax.sharding.mesh import make_mesh
from recjax.train.program import Program

HABITS = Habits(decay=0.9, half_life=0.05, hours=1.0, weekday=0.5, reach=6)


@pytest.fixture(scope="session")
def program():
    windows = Window(7_200, 1_800), Window(50_000, 5_000)
    data = support.opened(
        session_columns.with_columns(support.sessions(4, users=17)),
        columns=session_columns.COLUMNS,
        pairs=(Repeats(4), HABITS, RecentPopularity(windows), Transitions(2, 2)),
    )
    made = Experiment(
        name="sessions",
        seed=0,
        steps=10,
        data=data.settings,
        model=SessionModel(
            support.ENCODERS["hiertcn"],
            support.WIDTH,
            tied=False,
            event=session_columns.EVENT,
            user=session_columns.USER,
            tables=session_columns.TABLES,
        ),
        losses={"softmax": ItemSoftmax()},
        optimizer=Optimizer({"tables/.*": RowwiseAdagrad(0.1), ".*": Adam(1e-2)}),
        export=SessionBundle(saved_model=False),
    )
    settings = {"longest": 50, "unit": "s"}
    known = Identity("shop", "ab12", "recjax data prepare --events e.csv", settings)
    mesh = make_mesh({"data": 1})
    return Program(made, Runtime(mesh={"data": 1}), data, mesh, known)


@pytest.fixture(scope="session")
def trained(program):
    """Returns a state in which every number has moved, without compiling a step."""
    random, state = np.random.default_rng(0), program.init()

    def moved(leaf):
        return leaf + 0.2 * random.normal(size=leaf.shape).astype(leaf.dtype)

    params, tables = (jax.tree.map(moved, p) for p in (state.params, state.tables))
    return replace(state, params=params, tables=tables)


@pytest.fixture(scope="session")
def bundle(program, trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles") / "sessions"
    said = program.experiment.export.write(program, trained, folder)
    assert "step_score_difference" in said
    return folder
