"""Trains on triplets with one device and with eight, and writes both losses."""

import json
from pathlib import Path

import jax
import numpy as np
import tiny_images
from jax.sharding import set_mesh

from recjax.data.images.source import Images, ImagesData
from recjax.data.triplets.exact import TripletRules
from recjax.experiment import Experiment, Runtime
from recjax.losses import MinedHinge, Softmax, TripletHinge
from recjax.models import Multiscale
from recjax.nn.backbones import SmallNet
from recjax.nn.efficientnet import Lite
from recjax.nn.lite import frozen_parts
from recjax.nn.pyramid import SMALL
from recjax.optim import Adam, Optimizer
from recjax.sharding.mesh import make_mesh
from recjax.sharding.placement import put_batch
from recjax.train.program import Program

STEPS, SIZE = 4, 32


def losses(devices: int) -> list[float]:
    """Returns the loss of each step on that many devices."""
    data = Images(
        "tiny", (0.1, 0.5, 1.0), TripletRules(margin=0.2), batch_size=16, size=SIZE
    )
    experiment = Experiment(
        name="small_images",
        seed=0,
        steps=STEPS,
        data=data,
        model=Multiscale(
            SmallNet(SIZE, (8, 16), dropout=0.2), SMALL, width=12, classes=(2, 4, 8)
        ),
        losses={"a": TripletHinge(0.5), "b": MinedHinge("semi"), "c": Softmax(-1)},
        optimizer=Optimizer({".*": Adam(1e-2)}),
    )
    opened = ImagesData(data, 0, tiny_images.table())
    program = Program(experiment, Runtime(), opened, make_mesh({"data": devices}))
    found = []
    with set_mesh(program.mesh):
        state, step, feed = program.init(), program.step(), program.batches(0)
        for _ in range(STEPS):
            state, report = step(state, put_batch(next(feed), program.mesh))
            found.append(float(report.means["loss"][0]))
    return found


def frozen(devices: int) -> np.ndarray:
    """Returns what the first frozen parts make of images on that many devices."""
    params = Lite().init(jax.random.key(0), 0, 3)
    images = np.random.default_rng(0).uniform(-1, 1, (16, 32, 32, 3))
    mesh = make_mesh({"data": devices})
    with set_mesh(mesh):
        x = put_batch({"x": images.astype(np.float32)}, mesh)["x"]
        return np.asarray(jax.jit(lambda x: frozen_parts(Lite(), params, x, 3))(x))


def main(folder: Path) -> None:
    """Writes the figures."""
    apart = np.abs(frozen(1) - frozen(8)).max() / np.abs(frozen(1)).max()
    made = {"1": losses(1), "8": losses(8), "frozen": float(apart)}
    (folder / "report.json").write_text(
        json.dumps(made | {"devices": jax.device_count()})
    )
