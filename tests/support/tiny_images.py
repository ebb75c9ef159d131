"""Small pictures of coloured squares, as a table in memory or as files."""

import io

import numpy as np
from PIL import Image

from recjax.data.images.table import ImageTable
from recjax.data.splits import SPLITS

KINDS, COARSE, FINE, EACH = 2, 4, 8, 6
"""Classes of three levels, and images of each fine class."""
LEVELS = ("kind", "coarse", "fine")


def pixels(fine, number, size=72):
    """A square on a grey ground: its colour says the class, its place the number."""
    generator = np.random.default_rng(100 * fine + number)
    image = np.full((size, size, 3), 128, np.uint8)
    colour = np.random.default_rng(fine).integers(0, 256, 3)
    top, left = generator.integers(0, size // 3, 2)
    image[top : top + size // 2, left : left + size // 2] = colour
    return image


def png(image):
    """Bytes of a PNG."""
    out = io.BytesIO()
    Image.fromarray(image).save(out, "PNG")
    return out.getvalue()


def photograph(height, width, seed=0, **options):
    """Bytes of a JPEG: smooth, as photographs are, with some noise."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (5, 6, 3)).astype(np.uint8)
    image = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    noisy = np.asarray(image) + random.normal(size=(height, width, 3)) * 5
    out = io.BytesIO()
    made = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
    made.convert(options.pop("mode", "RGB")).save(out, "JPEG", **options)
    return out.getvalue()


def table():
    """Eight fine classes in four coarse ones of two kinds; 4, 1 and 1 a split."""
    rows = [(fine, number) for fine in range(FINE) for number in range(EACH)]
    files = [png(pixels(*row)) for row in rows]
    labels = [(fine // 4, fine // 2, fine) for fine, _ in rows]
    split = [SPLITS["train"], SPLITS["validation"], SPLITS["test"]]
    return ImageTable(
        names=tuple(f"{fine}/{number}.png" for fine, number in rows),
        labels=np.array(labels, np.int32),
        levels=LEVELS,
        classes=tuple(
            tuple(f"{level}{i}" for i in range(count))
            for level, count in zip(LEVELS, (KINDS, COARSE, FINE), strict=True)
        ),
        split=np.array([split[max(0, number - 3)] for _, number in rows], np.int8),
        read=lambda i: files[int(i)],
    )


def write(folder):
    """Writes the pictures below split/kind/coarse/fine/."""
    made, names = table(), list(SPLITS)
    for i, label in enumerate(made.labels):
        inner = folder / names[made.split[i]]
        for level, value in zip(LEVELS, label, strict=True):
            inner = inner / f"{level}{value}"
        inner.mkdir(parents=True, exist_ok=True)
        (inner / f"{i}.png").write_bytes(made.read(i))
    return folder
