"""Trains small twins of three systems some steps, on one device or in two processes.

    python tests/support/hosts_train.py FOLDER

Process 0 writes the losses of each step to FOLDER/1.json or 2.json; one process trains
on all its eight devices too. Every process compares its rows of each batch with the
whole batch. Two processes, and one that runs at the same time, then hand a state on:
from two hosts of four devices to one of eight, by all ways to divide them, to one
device, and back.
"""

from __future__ import annotations

import json
import sys
import time
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
from recjax.data.sessions.packing import Packed
from recjax.experiment import Runtime, load_experiment
from recjax.launch import hosts
from recjax.launch.join import join
from recjax.losses import SampledSoftmax
from recjax.models import OmniSearch
from recjax.nn.backbones import SmallNet
from recjax.pytree import named_leaves
from recjax.sharding.collectives import collectives
from recjax.sharding.mesh import make_mesh
from recjax.sharding.placement import fetch, host_part, put_batch
from recjax.train.checkpoint import Checkpoints, read_state
from recjax.train.program import Program, open_program

STEPS, SIZE = 3, 32
MESHES = ({"data": 1, "model": -1}, {"data": 2, "model": -1}, {"data": 2, "fsdp": -1})
"""Some with fewer parts of a batch than there are hosts."""
ONE_HOST = {
    "8": {"data": -1},
    "4x2": {"data": 4, "model": 2},
    "2x4": {"data": 2, "model": 4},
}


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
        "in_batch": SampledSoftmax(of="pin"),
        "random": SampledSoftmax(of="product/legacy", in_batch=False, random=True),
    }
    model = omni.model()
    return replace(made, model=model, losses=losses, warm_start={}), Pairs()


def hier_tcn():
    """HierTCN on random sessions."""
    made = tiny("hiertcn_globo", layout=Packed(16, 16, 6))
    encoder, width = sessions.ENCODERS["hiertcn"], sessions.WIDTH
    made = replace(made, model=replace(made.model, encoder=encoder, width=width))
    return made, NextInSessionData(made.data, 0, sessions.sessions(users=40))


def deep_ranking():
    """Deep Ranking on small pictures."""
    made = tiny("deep_ranking_grocery", views=0, size=SIZE)
    net = SmallNet(SIZE, (8, 16))
    made = replace(made, model=replace(made.model, branch=net, width=12))
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


def train(made, data, devices):
    """Returns losses and collectives of the step, and the program with its state."""
    mesh, losses = make_mesh({"data": devices}), []
    blocks = Runtime(softmax_rows=8 * isinstance(made.model, OmniSearch))
    program = Program(made, blocks, data, mesh)
    with set_mesh(mesh):
        state = program.init()
        step = program.step().lower(program.like, program.batch_shapes).compile()
        for number in range(STEPS):
            state, report = step(state, placed(data, number, mesh))
            total, weight = jax.device_get(report.means["loss"])
            losses.append(float(total / weight))
    sent = [one.looped for one in collectives(step.as_text(), mesh)]
    return {"losses": losses, "sent": len(sent), "looped": sum(sent)}, program, state


def save(folder, name, state):
    """Saves a state, and says so in a file."""
    checkpoints = Checkpoints(folder / name, 1)
    checkpoints.save(STEPS, state)
    checkpoints.close()
    if hosts.first():
        (folder / f"{name}.done").touch()


def same(folder, name, program):
    """Returns a state that another run saved, if it is bit for bit what was learned."""
    while not (folder / f"{name}.done").exists():
        time.sleep(0.2)
    state = read_state(folder / name, program.like)
    with np.load(folder / "learned.npz") as learned:
        for path, leaf in named_leaves(state):
            for shard in leaf.addressable_shards:
                wanted = learned[path.replace("/", "|")][shard.index]
                assert np.asarray(shard.data).tobytes() == wanted.tobytes(), path
    # What comes next is the same on any number of hosts and devices too.
    placed(program.dataset, STEPS, program.mesh)
    return state


def hand_on(folder, program, state):
    """Restores on other numbers of hosts and devices what was saved on these."""
    if hosts.count() == 2:
        whole = {path: fetch(a, program.mesh) for path, a in named_leaves(state)}
        if hosts.first():
            named = {path.replace("/", "|"): array for path, array in whole.items()}
            np.savez(folder / "learned.npz", **named)
        save(folder, "two", state)
        same(folder, "one", program)
        return
    before = "two"
    for name, axes in ONE_HOST.items():
        eight = replace(program, mesh=make_mesh(axes))
        save(folder, name, same(folder, before, eight))
        before = name
    save(folder, "one", same(folder, before, program))


def main(out):
    """Trains all, one after the other."""
    folder = Path(out)
    join("", 120, 30, 30)
    data = open_program(small.experiment(), Runtime(mesh={"data": -1})).dataset
    for axes in MESHES:
        placed(data, 0, make_mesh(axes))
    makers = (deep_ranking, hier_tcn, omni_search)
    found, held = {}, ()
    for make in makers:
        if hosts.count() == 1:
            found[f"{make.__name__}/8"], *_ = train(*make(), devices=8)
        devices = 8 if hosts.count() > 1 else 1
        found[make.__name__], *held = train(*make(), devices=devices)
    if hosts.first():
        (folder / f"{hosts.count()}.json").write_text(json.dumps(found))
    hand_on(folder, *held)


if __name__ == "__main__":
    main(*sys.argv[1:])
