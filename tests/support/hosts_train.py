"""Trains small twins of three systems some steps, in one process or in several.

    python tests/support/hosts_train.py FIGURES

Process 0 writes FIGURES: the losses of each step. Every process compares its rows of
each batch with the whole batch.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import omni
import sessions
import small
import tiny_images
from jax.sharding import set_mesh

from recjax.data.images.source import ImagesData
from recjax.data.sessions.next import NextInSessionData
from recjax.experiment import Runtime, load_experiment
from recjax.launch.join import join
from recjax.losses import SampledSoftmax
from recjax.sharding.mesh import make_mesh
from recjax.sharding.placement import host_part, put_batch
from recjax.train.program import Program, open_program

STEPS = 3
MESHES = ({"data": 1, "model": -1}, {"data": 2, "model": -1}, {"data": 2, "fsdp": -1})
"""Some with fewer parts of a batch than there are hosts."""


def tiny(name, **changes):
    """Returns the tiny twin of an experiment, some settings of its data replaced."""
    made = load_experiment(str(small.ROOT / "experiments" / f"{name}.py"), tiny=True)
    return replace(made, data=replace(made.data, **changes))


class Pairs:
    """Random pairs of pins, products and queries."""

    def __init__(self):
        """Says what features they have."""
        self.sides = omni.sides()

    def batch(self, step, host=(0, 1)):
        """Returns a host's part of each array of the batch of a step."""
        part, parts = host
        whole = omni.batch(step, groups=8)
        return jax.tree.map(lambda a: np.split(a, parts)[part], whole)


def omni_search():
    """OmniSearch of three kinds of candidates, with one loss each way."""
    made = tiny("omnisearchsage_catalog")
    losses = {
        "in_batch": SampledSoftmax(of="pin", rows_at_once=8),
        "random": SampledSoftmax(of="product/legacy", in_batch=False, random=True),
    }
    model = omni.model()
    return replace(made, model=model, losses=losses, warm_start={}), Pairs()


def hier_tcn():
    """HierTCN on random sessions."""
    made = tiny("hiertcn_globo")
    return made, NextInSessionData(made.data, 0, sessions.sessions(users=40))


def deep_ranking():
    """Deep Ranking on small pictures."""
    made = tiny("deep_ranking_grocery", views=0)
    return made, ImagesData(made.data, 0, tiny_images.table())


def placed(data, step, mesh):
    """Returns a batch on its devices; they hold what is theirs of the whole batch."""
    batch = put_batch(data.batch(step, host_part(mesh)), mesh)
    whole = data.batch(step, (0, 1))
    for got, wanted in zip(jax.tree.leaves(batch), jax.tree.leaves(whole), strict=True):
        assert got.shape == wanted.shape
        for shard in got.addressable_shards:
            np.testing.assert_array_equal(shard.data, wanted[shard.index])
    return batch


def train(made, data):
    """Returns the losses of the steps."""
    mesh, losses = make_mesh({"data": jax.device_count()}), []
    program = Program(made, Runtime(), data, mesh)
    with set_mesh(mesh):
        state, step = program.init(), program.step()
        for number in range(STEPS):
            state, report = step(state, placed(data, number, mesh))
            total, weight = jax.device_get(report.means["loss"])
            losses.append(float(total / weight))
    return losses


def main(out):
    """Trains all, one after the other."""
    join("", 120, 30, 30)
    data = open_program(small.experiment(), Runtime(mesh={"data": -1})).dataset
    for axes in MESHES:
        placed(data, 0, make_mesh(axes))
    makers = (omni_search, hier_tcn, deep_ranking)
    found = {make.__name__: train(*make()) for make in makers}
    if jax.process_index() == 0:
        Path(out).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
