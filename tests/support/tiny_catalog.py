"""A hand-made catalogue's tables, for tests."""

import numpy as np
import polars as pl


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
        ("red chair", "a", "pin", "save", 100),
        ("red chair", "a", "pin", "save", 100),
        ("lamp", "8", "product", "checkout", 300),
        ("lamp", " desk lamp ", "query", "click", 200),
        ("desk lamp", "c", "pin", "long_click", 50),
    ]
    names = ("query", "candidate_id", "candidate_type", "action", "timestamp")
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
