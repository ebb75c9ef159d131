"""Images a second on one core: decoding and augmentation, and training steps.

    python tools/bench_images.py
    python tools/bench_images.py --train experiments/deep_ranking_grocery.py

Decoding is measured on made 512 x 512 photographs (noise over gradients, JPEG quality
85) to 224 pixels, with Pillow's decoder side by side. `--train` takes an experiment of
images, times its input and its steps and sets them beside the FLOPs that XLA counts and
the FLOPs a second of a matrix product in the same process. The last line is JSON.
"""

import argparse
import io
import json
import time

import numpy as np

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


def rate(make, files: list[bytes], seconds: float) -> float:
    """Returns how many images a second of CPU time `make(data)` does."""
    make(files[0])
    done, began = 0, time.process_time()
    while time.process_time() - began < seconds:
        for data in files[:16]:
            make(data)
        done += 16
    return done / (time.process_time() - began)


def decoding(seconds: float) -> dict[str, float]:
    """Measures decoders and augmentation side by side."""
    from PIL import Image

    from recjax.data.images.augment import Augment, Middle
    from recjax.data.images.decode import decode

    files, generator = photographs(), np.random.default_rng(0)

    def pillow(data: bytes) -> np.ndarray:
        image = Image.open(io.BytesIO(data)).convert("RGB")
        return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR))

    rows = {
        "floor: decode at 1/2": lambda d: decode(d, SIZE, SIZE),
        "decode all pixels": decode,
        "middle, as in evaluation": lambda d: Middle()(d, SIZE),
        "augmented, as in training": lambda d: Augment()(d, SIZE, generator),
        "Pillow: decode and resize": pillow,
    }
    found = {}
    print(f"{SIDE} -> {SIZE} pixels, {np.mean([len(f) for f in files]) / 1e3:.0f} kB")
    for name, make in rows.items():
        found[name] = rate(make, files, seconds)
        print(f"{name:28} {found[name]:8,.0f} images a CPU second")
    return found


def training(path: str, tiny: bool, steps: int) -> dict[str, float]:
    """Measures steps of an experiment, its input, and the FLOP floor."""
    import jax
    import jax.numpy as jnp
    from jax.sharding import set_mesh

    from recjax.experiment import Runtime, load_experiment
    from recjax.sharding.placement import put_batch
    from recjax.train.program import open_program

    program = open_program(load_experiment(path, tiny), Runtime(mesh={"data": 1}))
    images = 3 * program.experiment.data.batch_size
    with set_mesh(program.mesh):
        state = program.init()
        batch = put_batch(program.example_batch, program.mesh)
        step = program.step().lower(state, batch).compile()
        flops = (step.cost_analysis() or {}).get("flops", float("nan"))
        state, _ = jax.block_until_ready(step(state, batch))
        feed = program.dataset.batches(1, (0, 1), 0, 0)
        spent = {"input": 0.0, "step": 0.0}
        for _ in range(steps):
            began = time.process_time()
            made = next(feed)
            spent["input"] += time.process_time() - began
            began = time.process_time()
            state, _ = jax.block_until_ready(step(state, put_batch(made, program.mesh)))
            spent["step"] += time.process_time() - began
    a = jnp.ones((1024, 1024))
    product = jax.jit(lambda a: a @ a)
    jax.block_until_ready(product(a))
    began = time.process_time()
    for _ in range(10):
        jax.block_until_ready(product(a))
    peak = 10 * 2 * 1024**3 / (time.process_time() - began)
    per = {name: seconds / steps / images * 1e3 for name, seconds in spent.items()}
    print(f"{program.experiment.name}: {images} images a step")
    print(f"  step   {per['step']:7.2f} CPU ms an image")
    print(f"  input  {per['input']:7.2f} CPU ms an image")
    print(f"  floor  {flops / images / peak * 1e3:7.2f} CPU ms an image: XLA counts")
    print(f"         {flops / images / 1e6:,.0f} MFLOPs (loops once), a product of")
    print(f"         matrices does {peak / 1e9:,.0f} GFLOPs a CPU second")
    return {
        "train_images_per_cpu_s": 1e3 / per["step"],
        "input_share_of_cpu": spent["input"] / sum(spent.values()),
        "mflops_per_image": flops / images / 1e6,
        "peak_gflops": peak / 1e9,
    }


def main() -> None:
    """Prints tables, and JSON in the last line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="of each row")
    parser.add_argument("--train", help="experiment file; takes prepared data")
    parser.add_argument("--tiny", action="store_true", help="its tiny()")
    parser.add_argument("--steps", type=int, default=5)
    options = parser.parse_args()
    found = decoding(options.seconds)
    out = {"decode_per_core_s": found["augmented, as in training"], "rows": found}
    if options.train:
        out |= training(options.train, options.tiny, options.steps)
    print(json.dumps(out))


if __name__ == "__main__":
    main()
