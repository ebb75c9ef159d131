"""A hand-made catalogue's tables, for tests, and how they are prepared."""

import numpy as np
import polars as pl

from recjax.prepare.options import Files, How

START = 1_600_000_000
TYPES = (
    *("pin:board_title=text", "pin:image_caption=text", "pin:gs_v5=vector"),
    *("pin:item_is_v2=vector", "pin:ue_v4=bits", "pin:anything_else=skip"),
    *("product:engaged_queries=text", "product:gs_v5=vector", "product:ue_v4=bits"),
)
RENAMED = ("product:item_title=title", "product:navboost_v2=engaged_queries")
HOW = How(column=TYPES, rename=RENAMED)


def vector(seed, width=4):
    return np.random.default_rng(seed).normal(size=width).astype(np.float32).tolist()


def code(seed, width=3):
    return bytes(np.random.default_rng(seed).integers(0, 256, width, dtype=np.uint8))


VECTOR = pl.List(pl.Float32)


def pins():
    return pl.DataFrame(
        {
            "id": ["a", "b", "c"],
            "title": ["Red  café", None, " "],
            "board_title": [["diy ", "", "home\ndecor"], None, []],
            "image_caption": ["a chair", "a lamp", "a rug"],
            "gs_v5": pl.Series([vector(0), None, vector(2)], dtype=VECTOR),
            "item_is_v2": pl.Series([[], vector(3), vector(4)], dtype=VECTOR),
            "ue_v4": pl.Series([code(0), code(1), None], dtype=pl.Binary),
            "anything_else": [1, 2, 3],
        }
    )


def products():
    return pl.DataFrame(
        {
            "id": [7, 8],
            "item_title": ["Lamp", "Chair"],
            "navboost_v2": ["lamp\nred lamp", ""],
            "gs_v5": pl.Series(
                [[vector(5), vector(6)], None], dtype=pl.List(pl.List(pl.Float64))
            ),
            "ue_v4": pl.Series([[code(5)], [code(6), code(7)]]),
        }
    )


def pairs():
    rows = [
        ("red chair", "a", "pin", "save", START + 100),
        ("red chair", "a", "pin", "save", START + 100),
        ("lamp", "8", "product", "checkout", START + 300),
        ("lamp", " desk lamp ", "query", "click", START + 200),
        ("desk lamp", "c", "pin", "long_click", START + 50),
    ]
    names = ("query", "candidate", "candidate_type", "action", "timestamp")
    return pl.DataFrame(rows, names, orient="row")


def write(folder, **frames):
    """Writes the three tables, some replaced, and returns their paths by name."""
    made = {"pairs": pairs(), "pins": pins(), "products": products(), **frames}
    found = {}
    for name, frame in made.items():
        if frame is not None:
            found[name] = folder / f"{name}.parquet"
            frame.write_parquet(found[name])
    return found


def files(folder, **frames):
    """Writes the tables and returns them as what is prepared."""
    found = write(folder, **frames)
    kinds = {kind: found.get(f"{kind}s") for kind in ("pin", "product")}
    kinds = {kind: path for kind, path in kinds.items() if path is not None}
    return Files(judgements=found["pairs"], entities=kinds)
