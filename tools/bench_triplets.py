"""Triplets drawn a second on one core: exact weights and reservoirs.

    python tools/bench_triplets.py --images 140 --categories 500

The floor is NumPy's own random numbers for the same draws. The last line is JSON.
"""

import argparse
import json
import time

import numpy as np

from recjax.data.triplets.exact import TripletRules, TripletSampler
from recjax.data.triplets.online import FromReservoirs, OnlineTriplets, ShareWatch
from recjax.data.triplets.relevance import from_blocks

NUMBERS = 7
"""Uniform numbers that a triplet takes."""


def relevance(categories: int, images: int):
    """Returns skewed random relevance: gamma(1) appeal of images, gamma(1) of pairs."""
    generator = np.random.default_rng(0)
    blocks = []
    for _ in range(categories):
        liked = generator.gamma(1.0, size=images)
        block = np.outer(liked, liked) * generator.gamma(1.0, size=(images, images))
        blocks.append((block + block.T).astype(np.float32))
    return from_blocks(np.repeat(np.arange(categories), images), blocks)


def rate(draw, batch: int, seconds: float) -> float:
    """Returns how many a second of CPU time `draw(generator, batch)` makes."""
    generator = np.random.default_rng(0)
    draw(generator, batch)
    done, began = 0, time.process_time()
    while time.process_time() - began < seconds:
        draw(generator, batch)
        done += batch
    return done / (time.process_time() - began)


def main() -> None:
    """Prints a table, and JSON in the last line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=140, help="of each category")
    parser.add_argument("--categories", type=int, default=500)
    parser.add_argument("--batch", type=int, default=4_096, help="triplets a draw")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each row")
    options = parser.parse_args()
    known = relevance(options.categories, options.images)
    rules = TripletRules(out_of_class=0.2, margin=0.1)
    floor = rate(
        lambda g, n: g.random((NUMBERS, n)), 16 * options.batch, options.seconds
    )
    began = time.process_time()
    exact = TripletSampler(known, rules)
    exact.draw(np.random.default_rng(0), 1)
    built = time.process_time() - began
    print(f"{'sampler':28} {'triplets/s':>12} {'ready s':>8} {'top-tenth share':>16}")
    print(f"{'floor: random numbers':28} {floor:12,.0f}")
    target = ShareWatch(known).target
    found = {"floor_per_s": floor, "top_tenth_target": target}
    rows = [("exact", exact.draw, built, None)]
    for distinct in (False, True):
        for capacity in (4, 16, 64):
            settings = FromReservoirs(capacity, distinct)
            online = OnlineTriplets(known, rules, settings)
            began = time.process_time()
            buffers = online.passed(0)
            ready = time.process_time() - began
            kind = "A-Res" if distinct else "with replacement"
            rows.append(
                (
                    f"{kind}, capacity {capacity}",
                    lambda g, n, o=online, b=buffers: o.draw_from(b, g, n),
                    ready,
                    online,
                )
            )
    for name, draw, ready, online in rows:
        speed = rate(draw, options.batch, options.seconds)
        watch = ShareWatch(known, tolerance=np.inf)
        for number in range(8):
            generator = np.random.default_rng(number)
            if online is None:
                watch.see(draw(generator, options.batch).query)
            else:
                held = online.passed(number + 1)
                watch.see(online.draw_from(held, generator, options.batch).query)
        share = f"{watch.share:.3f} / {target:.3f}"
        print(f"{name:28} {speed:12,.0f} {ready:8.2f} {share:>16}")
        found[name] = {"per_s": speed, "top_tenth": watch.share}
    found["triplets_drawn_per_core_s"] = found["exact"]["per_s"]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
