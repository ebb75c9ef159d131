"""Images a second: decoding and augmentation, triplets drawn, and training steps.

    python tools/bench_images.py
    python tools/bench_images.py --net paper --batch 64
    python tools/bench_images.py --train experiments/deep_ranking_grocery.py

Decoding is measured on made 512 x 512 photographs (noise over gradients, JPEG quality
85) to 224 pixels, with Pillow's decoder side by side. Steps are those of a network on
these photographs, decoded and varied by one thread beside it, or of an experiment on
its own data; beside them stand the FLOPs that XLA counts and the FLOPs a second of a
matrix product in the same process. On a CPU, give it one core (taskset -c 0) and
XLA_FLAGS=--xla_cpu_multi_thread_eigen=false. The last line is JSON.
"""

import argparse
import io
import json
import time

import numpy as np
from bench_triplets import rate, relevance

from recjax.data.triplets.exact import TripletRules, TripletSampler
from recjax.errors import told

SIZE, SIDE, COUNT = 224, 512, 64


def photographs() -> list[bytes]:
    """Returns JPEGs with detail at several scales, about as large as photographs."""
    import simplejpeg

    generator, files = np.random.default_rng(0), []
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    for _ in range(COUNT):
        a, b, c = generator.uniform(2, 30, 3)
        base = np.stack([np.sin(a * x), np.cos(b * y), np.sin(c * (x + y))], -1)
        noise = generator.normal(size=(SIDE // 4, SIDE // 4, 3)).repeat(4, 0)
        pixels = 128 + 70 * base + 12 * noise.repeat(4, 1)
        pixels = pixels.clip(0, 255).astype(np.uint8)
        files.append(simplejpeg.encode_jpeg(pixels, quality=85))
    return files


def decoding(seconds: float) -> dict[str, float]:
    """Measures decoders and augmentation side by side."""
    from PIL import Image

    from recjax.images.augment import Augment, CenterCrop
    from recjax.images.decode import decode

    files, generator = photographs(), np.random.default_rng(0)

    def pillow(data: bytes) -> np.ndarray:
        image = Image.open(io.BytesIO(data)).convert("RGB")
        return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR))

    rows = {
        "codes: decode at 1/8": lambda d: decode(d, SIDE // 8, SIDE // 8),
        "floor: decode at 1/2": lambda d: decode(d, SIZE, SIZE),
        "decode all pixels": decode,
        "middle, as in evaluation": lambda d: CenterCrop()(d, SIZE),
        "augmented, as in training": lambda d: Augment()(d, SIZE, generator),
        "Pillow: decode and resize": pillow,
    }
    found = {}
    print(f"{SIDE} -> {SIZE} pixels, {np.mean([len(f) for f in files]) / 1e3:.0f} kB")
    for name, make in rows.items():
        found[name] = rate(
            lambda _, n, make=make: [make(data) for data in files[:n]], 16, seconds
        )
        print(f"{name:28} {found[name]:8,.0f} images a CPU second")
    return found


def made_program(net: str, batch: int):
    """Returns a network on made photographs: the weights do not change the time."""
    from recjax.data.images.source import Images, ImagesData
    from recjax.data.images.table import ImageTable
    from recjax.data.splits import SPLITS
    from recjax.experiment import Experiment, Runtime
    from recjax.losses import TripletHinge
    from recjax.models import Multiscale
    from recjax.nn.alexnet import AlexNet
    from recjax.nn.backbones import SmallNet
    from recjax.nn.lite import EfficientNetLite
    from recjax.nn.pyramid import PAPER, SMALL
    from recjax.optim import Frozen, Momentum, Optimizer
    from recjax.sharding.mesh import make_mesh
    from recjax.train.program import Program

    model = {
        "lite0": Multiscale(EfficientNetLite(frozen=12, dropout=0.0), PAPER, 512),
        "paper": Multiscale(AlexNet(), PAPER, 4_096, dropout=0.6),
        "small": Multiscale(SmallNet(64), SMALL, 128),
    }[net]
    files = photographs()
    fine = np.arange(len(files)) // 4
    table = ImageTable(
        names=tuple(f"{i}.jpg" for i in range(len(files))),
        labels=np.stack([fine // 8, fine // 2, fine], 1).astype(np.int32),
        levels=("kind", "coarse", "fine"),
        classes=tuple(tuple(map(str, range(n))) for n in (2, 8, 16)),
        split=np.full(len(files), SPLITS["train"], np.int8),
        read=lambda i: files[i],
    )
    kept = "|".join(["stem", *(f"block_{i:02}" for i in range(11))])
    experiment = Experiment(
        name=net,
        seed=0,
        steps=1_000,
        data=Images("made", (0.02, 0.3, 1.0), batch_size=batch, size=model.branch.size),
        model=model,
        losses={"ranking": TripletHinge(0.3)},
        optimizer=Optimizer({f"branch/({kept})/.*": Frozen(), ".*": Momentum(1e-3)}),
    )
    runtime = Runtime()
    data = ImagesData(experiment.data, 0, table)
    return Program(experiment, runtime, data, make_mesh(runtime.mesh))


def training(program, steps: int) -> dict[str, float]:
    """Measures steps of a program, its input included, and the FLOP floor."""
    import jax
    import jax.numpy as jnp
    from jax.sharding import set_mesh

    from recjax.sharding.placement import put_batch

    images = 3 * program.experiment.data.batch_size
    with set_mesh(program.mesh):
        state = program.init()
        batch = put_batch(program.example_batch, program.mesh)
        step = program.step().lower(state, batch).compile()
        flops = (step.cost_analysis() or {}).get("flops", float("nan"))
        feed = program.batches(0)
        for _ in range(2):
            state, _ = step(state, put_batch(next(feed), program.mesh))
        jax.block_until_ready(state)
        waited, wall, spent = 0.0, time.perf_counter(), time.process_time()
        for _ in range(steps):
            began = time.perf_counter()
            made = next(feed)
            waited += time.perf_counter() - began
            state, _ = jax.block_until_ready(step(state, put_batch(made, program.mesh)))
        wall, spent = time.perf_counter() - wall, time.process_time() - spent
    a = jnp.ones((2048, 2048))
    product = jax.jit(lambda a: a @ a)
    jax.block_until_ready(product(a))
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(5):
        jax.block_until_ready(product(a))
    operations = 5 * 2 * 2048**3
    wall_peak = operations / (time.perf_counter() - began)
    peak = operations / (time.process_time() - cpu)
    done = images * steps / spent
    print(f"{program.experiment.name}: {images} images a step, one thread of input")
    print(f"  {done:10,.1f} images a CPU second, {images * steps / wall:,.1f} a second")
    print(f"  {peak / (flops / images):10,.1f} the floor: XLA counts (loops once)")
    print(f"             {flops / images / 1e6:,.0f} MFLOPs, a matrix product does")
    print(f"             {peak / 1e9:,.0f} GFLOPs a CPU second")
    print(f"  {waited / wall:10.1%} of the time waits for input")
    return {
        "train_images_per_cpu_s": done,
        "train_images_per_s": images * steps / wall,
        "floor_images_per_cpu_s": peak / (flops / images),
        "flops_share_of_peak": done * flops / images / peak,
        "wall_flops_share_of_peak": images * steps / wall * flops / images / wall_peak,
        "input_wait_share": waited / wall,
    }


def main() -> None:
    """Prints tables, and JSON in the last line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="of each row")
    parser.add_argument("--net", choices=("lite0", "paper", "small"), default="lite0")
    parser.add_argument("--batch", type=int, default=16, help="triplets a step")
    parser.add_argument("--train", help="an experiment file, instead of --net")
    parser.add_argument("--tiny", action="store_true", help="its tiny()")
    parser.add_argument("--steps", type=int, default=10)
    options = parser.parse_args()
    found = decoding(options.seconds)
    sampler = TripletSampler(relevance(500, 140), TripletRules(margin=0.1))
    drawn = rate(sampler.draw, 4_096, options.seconds)
    print(f"triplets drawn: {drawn:,.0f} a CPU second, 140 images a category")
    if options.train:
        from recjax.experiment import Runtime, load_experiment
        from recjax.train.program import open_program

        experiment = load_experiment(options.train, options.tiny)
        program = open_program(experiment, Runtime())
    else:
        program = made_program(options.net, options.batch)
    out = {
        "decode_per_core_s": found["augmented, as in training"],
        "triplets_drawn_per_core_s": drawn,
        **training(program, options.steps),
        "rows": found,
    }
    print(json.dumps(out))


if __name__ == "__main__":
    with told():
        main()
