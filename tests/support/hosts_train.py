"""Trains the tiny twins of three systems some steps, in one process or in several.

    python tests/support/hosts_train.py CATALOGUE FIGURES

CATALOGUE is a prepared catalogue of entities. Process 0 writes FIGURES: the losses of
each step, and a checksum of the batches of all hosts.
"""

from __future__ import annotations

import json
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import sessions
import small
import tiny_images
from jax.experimental import multihost_utils
from jax.sharding import set_mesh

from recjax.data.images.source import ImagesData
from recjax.data.sessions.next import NextInSessionData
from recjax.experiment import Runtime, load_experiment
from recjax.launch.join import join
from recjax.sharding.mesh import make_mesh
from recjax.sharding.placement import put_batch
from recjax.train.image_views import with_views
from recjax.train.program import Program

STEPS = 3


def tiny(name):
    """Returns the tiny twin of an experiment, without dropping its losses."""
    return load_experiment(str(small.ROOT / "experiments" / f"{name}.py"), tiny=True)


def omni(catalogue):
    """OmniSearch on a catalogue, with the losses of one kind."""
    made = tiny("omnisearchsage_catalog")
    made = replace(made, data=replace(made.data, source=catalogue))
    kept = {k: replace(v, widths=()) for k, v in made.losses.items() if "pin/" in k}
    return replace(made, losses=kept), made.data.open(made.seed)


def hier_tcn(catalogue):
    """HierTCN on random sessions."""
    made = tiny("hiertcn_globo")
    return made, NextInSessionData(made.data, 0, sessions.sessions(users=40))


def deep_ranking(catalogue):
    """Deep Ranking on small pictures."""
    made = tiny("deep_ranking_grocery")
    few = replace(made.data, views=0)
    return made, with_views(ImagesData(few, 0, tiny_images.table()), made.model)


def train(made, data):
    """Returns the losses of the steps, and a checksum of all hosts' batches."""
    mesh = make_mesh({"data": jax.device_count()})
    program = Program(made, Runtime(), data, mesh)
    losses, check = [], 0
    with set_mesh(mesh):
        state, step, batches = program.init(), program.step(), program.batches(0)
        for _ in range(STEPS):
            batch = put_batch(next(batches), mesh)
            for leaf in jax.tree.leaves(multihost_utils.process_allgather(batch, True)):
                check = zlib.crc32(np.ascontiguousarray(leaf).tobytes(), check)
            state, report = step(state, batch)
            total, weight = report.means["loss"]
            losses.append(float(total) / float(weight))
    return {"losses": losses, "batches": check}


def main(catalogue, out):
    """Trains all, one after the other."""
    join("", 120, 30, 30)
    found = {
        make.__name__: train(*make(catalogue))
        for make in (omni, hier_tcn, deep_ranking)
    }
    if jax.process_index() == 0:
        Path(out).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
