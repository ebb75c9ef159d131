"""Speed, memory and fill of session training: HierTCN and its rivals, side by side.

recjax data prepare globo
taskset -c 0 python tools/bench_session.py

All encoders have HierTCN's number of parameters (the authors' default: 2 x 128 GRU, 2
blocks of 128), the same batches, item table, sampled softmax and optimizer. They take
turns, step by step, so that what else the machine does hits all alike; times are CPU
seconds of the whole process, medians of the turns. The last line is JSON.
"""

import argparse
import json
import os
import time

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import jax  # noqa: E402
import numpy as np  # noqa: E402

from recjax import rng  # noqa: E402
from recjax.data.sessions.next import NextInSession  # noqa: E402
from recjax.data.sessions.packing import (  # noqa: E402
    PAD,
    Packed,
    Queue,
    make_plan,
    paper_slots,
)
from recjax.data.sessions.read import Sessions  # noqa: E402
from recjax.data.sessions.runs import training_runs  # noqa: E402
from recjax.data.splits import ByUser  # noqa: E402
from recjax.errors import told  # noqa: E402
from recjax.features import IdFeature  # noqa: E402
from recjax.losses.pairwise import ItemSoftmax  # noqa: E402
from recjax.models.rivals import equal_sized, makers, parameters  # noqa: E402
from recjax.models.session_model import SessionModel  # noqa: E402
from recjax.optim import Adam, Optimizer, RowwiseAdagrad  # noqa: E402
from recjax.sharding.mesh import make_mesh  # noqa: E402
from recjax.sharding.placement import put_batch  # noqa: E402
from recjax.train import state as states  # noqa: E402
from recjax.train.step import compile_step, make_step  # noqa: E402

WIDTH = 128
RIVALS = ("hiertcn", "hiergru", "hrnn", "gru", "tcn")


class Trainer:
    """One model and its state; `turn` trains a step and returns its CPU seconds."""

    def __init__(self, encoder, rows, batch):
        """Compiles the step and warms it up."""
        sides = {"query": {}, "candidate": {"item": IdFeature(rows, 1)}}
        model = SessionModel(encoder, WIDTH)
        optimizer = Optimizer({"tables/.*": RowwiseAdagrad(0.05), ".*": Adam(1e-3)})
        mesh, key = make_mesh({"data": 1}), rng.root(0)
        batch = put_batch(batch, mesh)
        self.mesh = mesh
        self.state = states.init(key, model, sides, optimizer, 100, batch, mesh)
        loss = {"softmax": ItemSoftmax()}
        step = make_step(key, model, sides, loss, optimizer, 100, mesh)
        self.step = compile_step(step, self.state, mesh)
        cost = self.step.lower(self.state, batch).compile().cost_analysis()
        self.flops = float((cost[0] if isinstance(cost, list) else cost)["flops"])
        self.turn(batch)

    def turn(self, batch):
        """Trains one step."""
        began = time.process_time()
        self.state, report = self.step(self.state, put_batch(batch, self.mesh))
        jax.block_until_ready((self.state, report))
        return time.process_time() - began


def speeds(data, turns):
    """Returns name -> (events a CPU-second, parameters, FLOPs of a step)."""
    make = makers(WIDTH)
    target = parameters(make["hiertcn"](WIDTH), WIDTH)
    encoders = {n: equal_sized(make[n], target, WIDTH) for n in RIVALS}
    batches = [data.batch(step) for step in range(turns + 1)]
    rows = len(data.sessions.item_ids) + 1
    trainers = {n: Trainer(e, rows, batches[0]) for n, e in encoders.items()}
    seconds = {name: [] for name in encoders}
    for batch in batches[1:]:
        for name, trainer in trainers.items():
            seconds[name].append(trainer.turn(batch))
    events = np.mean([batch["weight"].sum() for batch in batches[1:]])
    return {
        name: (
            float(events / np.median(seconds[name])),
            parameters(encoders[name], WIDTH),
            trainers[name].flops,
        )
        for name in encoders
    }


def item_ratio(data, turns, small=3_000, large=3_000_000):
    """Returns CPU seconds of a step with the large table over those with the small."""
    encoder = makers(WIDTH)["hiertcn"](WIDTH)
    random, seconds = np.random.default_rng(0), {}
    batch = data.batch(0)
    trainers = {}
    for size in (small, large):
        item = random.integers(1, size, batch["item"].shape, dtype=np.int32)
        drawn = random.integers(0, size - 1, batch["negative_id"].shape, dtype=np.int32)
        own = {**batch, "item": item * (batch["item"] > 0), "negative_id": drawn}
        trainers[size] = Trainer(encoder, size, own), own
        seconds[size] = []
    for _ in range(turns):
        for size, (trainer, own) in trainers.items():
            seconds[size].append(trainer.turn(own))
    return float(np.median(seconds[large]) / np.median(seconds[small]))


def fills(data, lanes=32, sessions=10):
    """Returns events over places: the paper's queues, and the packed rows."""
    known: Sessions = data.sessions
    runs = training_runs(known, data.part, ("train",))
    start = np.asarray(known.session_start)
    longest = int(np.diff(start).max())
    plan = make_plan(Queue(lanes, sessions, longest), start, runs, 0)
    real = places = 0
    for step in range(plan.steps):
        session = plan.grid(step).session
        held = np.where(session == PAD, 0, start[session + 1] - start[session])
        real, places = real + int(held.sum()), places + paper_slots(held)
    return {"lanes": real / places, "packed": data.epochs.at(0)[0].fill}


def input_bytes(data, users=32, batches=200, least=50):
    """Returns bytes of input: sessions one at a time over whole histories, and rows.

    Users of `least` events or more: memory is a matter of long histories.

    A flat TCN's batch holds the embeddings of all events of its users, padded to the
    longest history; HierTCN's holds one session of each, padded to the longest of them,
    and one state a user; a packed batch holds its rows and states.
    """
    known, state = data.sessions, 2 * WIDTH
    lengths = np.diff(known.session_start)
    counts = np.add.reduceat(lengths, known.user_start[:-1])
    random = np.random.default_rng(0)
    long = np.flatnonzero(counts >= least)
    flat = hier = 0
    for _ in range(batches):
        chosen = random.choice(long, users, replace=False)
        flat += users * counts[chosen].max() * WIDTH * 4
        any_session = known.user_start[chosen] + random.integers(
            0, np.diff(known.user_start)[chosen]
        )
        hier += users * (lengths[any_session].max() * WIDTH + state) * 4
    layout = data.settings.layout
    packed = batches * layout.rows * (layout.events * WIDTH + state) * 4
    return {"session": hier / flat, "packed": packed / flat, "flat_mib": flat / 2**20}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=10, help="steps of each model")
    parser.add_argument("--negatives", type=int, default=512, help="drawn a batch")
    parser.add_argument("--events", type=int, default=48, help="places of a row")
    parser.add_argument("--slots", type=int, default=24, help="sessions of a row")
    parser.add_argument("--source", default="globo", help="prepared sessions")
    parser.add_argument("--rivals", type=int, default=1, help="0: item ratio alone")
    options = parser.parse_args()
    data = NextInSession(
        options.source,
        ByUser(),
        Packed(32, options.events, options.slots),
        negatives=options.negatives,
    ).open(0)
    print(f"device: {jax.devices()[0].device_kind}, jax {jax.__version__}")
    if not options.rivals:
        ratio = item_ratio(data, options.turns)
        print(json.dumps({"item_ratio_3m_over_3k": round(ratio, 3)}))
        return
    found = speeds(data, options.turns)
    floor = found["hiertcn"][2]
    print(f"floor: HierTCN's step is {floor / 1e9:.2f} GFLOP")
    print(f"{'model':10}{'parameters':>12}{'GFLOP/step':>12}{'events/CPU-s':>14}")
    for name, (speed, count, flops) in found.items():
        print(f"{name:10}{count:12,}{flops / 1e9:12.2f}{speed:14,.0f}")
    filled, size = fills(data), input_bytes(data)
    print("fill:", *(f"{name} {value:.3f}" for name, value in filled.items()))
    print("input bytes over a flat TCN's, users of 50 events or more: one session at a")
    print(f"time {size['session']:.3f}, packed rows {size['packed']:.3f}")
    ratio = item_ratio(data, options.turns)
    print(f"step with 3 M items over 3 k items: {ratio:.2f}")
    out = {
        "events_per_cpu_s": {name: round(v[0]) for name, v in found.items()},
        "fill": {name: round(value, 4) for name, value in filled.items()},
        "input_bytes_vs_tcn": round(size["session"], 4),
        "item_ratio_3m_over_3k": round(ratio, 3),
    }
    print(json.dumps(out))


if __name__ == "__main__":
    with told():
        main()
