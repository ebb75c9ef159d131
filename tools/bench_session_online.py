"""One event of a user online: update of the state, and scores of all items.

taskset -c 0 python tools/bench_session_online.py

HierTCN of the authors' default size, made-up items and weights: cost does not depend on
their values. The floor of the scores is reading the item vectors once. CPU time stands
beside wall time, which other processes of the machine stretch. The last line is JSON.
"""

import argparse
import json
import os
import time

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import jax  # noqa: E402
import numpy as np  # noqa: E402

from recjax.bundle.session_state import SessionState, step_arrays  # noqa: E402
from recjax.bundle.session_step import empty_memory, step_function  # noqa: E402
from recjax.errors import told  # noqa: E402
from recjax.index.item_vectors import ItemVectors  # noqa: E402
from recjax.models.rivals import makers  # noqa: E402
from recjax.models.session_model import SessionModel  # noqa: E402
from recjax.nn.session import Row, session_rows  # noqa: E402
from recjax.serve.user_state import UserStates  # noqa: E402

WIDTH = 128


def opened(items: int) -> UserStates:
    """Returns states of a model with random weights."""
    model = SessionModel(makers(WIDTH)["hiertcn"](WIDTH), WIDTH, bias=False)
    empty, random = empty_memory(model), np.random.default_rng(0)
    arrays = step_arrays(empty, 1)
    row = session_rows(*(arrays[name] for name in ("item", "position", "age", "gap")))
    table = random.normal(size=(items + 1, WIDTH)).astype(np.float32)
    params = jax.jit(model.encoder.init, static_argnums=3)(
        jax.random.key(0),
        Row.of(row, table[arrays["item"]]),
        model.encoder.start(1, WIDTH),
        False,
    )
    held = {"params": {"encoder": params["params"]}, "items": table, "tables": {}}
    held, step = jax.device_put(held), step_function(model)
    compiled = jax.jit(step)
    ids = tuple(map(str, range(items)))
    known = ItemVectors(ids, ids, table[1:])
    return UserStates(lambda arrays: compiled(held, arrays), known, SessionState(empty))


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=50_000, help="size of the corpus")
    parser.add_argument("--events", type=int, default=500, help="events measured")
    parser.add_argument("--users", type=int, default=50, help="users who take turns")
    options = parser.parse_args()
    states, random = opened(options.items), np.random.default_rng(1)
    clocks = {"wall": time.perf_counter, "cpu": time.process_time}
    parts = ("update", "scores", "both")
    times: dict[tuple[str, str], list[float]] = {
        (part, clock): [] for part in parts for clock in clocks
    }
    for number in range(options.events + 20):
        user = str(random.integers(options.users))
        item = str(random.integers(options.items))
        new = bool(random.random() < 0.3)
        read = [[clock() for clock in clocks.values()]]
        states.feed(user, item, new_session=new)
        read.append([clock() for clock in clocks.values()])
        states.best(user, 10)
        read.append([clock() for clock in clocks.values()])
        if number < 20:  # the first calls compile
            continue
        spent = 1e3 * np.vstack([np.diff(read, axis=0), np.subtract(read[2], read[0])])
        for (part, clock), values in times.items():
            values.append(spent[parts.index(part), list(clocks).index(clock)])
    size = options.items * WIDTH * 4
    print(f"device: {jax.devices()[0].device_kind}, one thread, {options.items} items")
    print(f"floor: {size / 2**20:.1f} MiB of item vectors are read an answer")
    print(f"{'ms':8}{'clock':8}{'p50':>8}{'p99':>8}")
    out = {}
    for (part, clock), values in times.items():
        low, high = np.percentile(values, [50, 99])
        print(f"{part:8}{clock:8}{low:8.2f}{high:8.2f}")
        name = f"{part}_{clock}"
        out |= {f"{name}_p50_ms": round(low, 3), f"{name}_p99_ms": round(high, 3)}
    print(json.dumps(out))


if __name__ == "__main__":
    with told():
        main()
