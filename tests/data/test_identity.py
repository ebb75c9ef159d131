"""Data prepared again under the same name is the same, or is told from it."""

from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
import tiny_catalog
import tiny_images

from recjax.data.identity import Identity, refuse_other
from recjax.data.prepared import Prepared
from recjax.errors import UserError
from recjax.prepare.options import DEFAULTS, Files, How
from recjax.prepare.prepare import prepare

START = 1_600_000_000
ROWS = [(f"u{i % 3}", f"i{i % 4}", START + 100 * i) for i in range(12)]
EVENTS = pl.DataFrame(ROWS, ["user", "item", "timestamp"], orient="row")
ITEMS = pl.DataFrame({"item": ["i0", "i1", "i2", "i3"], "price": [1.0, 2, 3, 4]})
MORE = pl.DataFrame({"item": ["i9"], "price": [9.0]})
JUDGED = pl.DataFrame(
    {"query": ["a", "b", "a"], "candidate": ["i0", "i1", "i2"], "grade": [1.0, 2, 3]}
)


def listed(*names):
    """Returns a list of images, each of which the test writes."""
    of = {"image": names, "class": [f"c{int(name[0]) % 2}" for name in names]}
    return pl.DataFrame(of | {"split": ["train"] * len(names)})


CATALOGUE = Files(
    judgements=tiny_catalog.pairs(),
    entities={"pin": tiny_catalog.pins(), "product": tiny_catalog.products()},
)
IMAGES = ("0.png", "1.png", "2.png")
KINDS = {
    "next item": (
        Files(events=EVENTS, items=ITEMS),
        Files(events=EVENTS, items=ITEMS[[2, 0, 1, 3]]),
        Files(events=EVENTS, items=pl.concat([ITEMS, MORE])),
        DEFAULTS,
    ),
    "sessions": (
        Files(events=EVENTS),
        Files(events=EVENTS.with_columns(pl.col("item").replace("i0", "i1"))),
        Files(events=pl.concat([EVENTS, EVENTS[:1].with_columns(item=pl.lit("i9"))])),
        How(gap=250),
    ),
    "search": (
        Files(judgements=JUDGED, items=ITEMS),
        Files(judgements=JUDGED, items=ITEMS[[2, 0, 1, 3]]),
        Files(judgements=JUDGED, items=pl.concat([ITEMS, MORE])),
        DEFAULTS,
    ),
    "catalogue": (
        CATALOGUE,
        Files(
            judgements=tiny_catalog.pairs(),
            entities={
                "pin": tiny_catalog.pins()[::-1],
                "product": tiny_catalog.products(),
            },
        ),
        Files(
            judgements=tiny_catalog.pairs(),
            entities={
                "pin": tiny_catalog.pins(),
                "product": pl.concat(
                    [
                        tiny_catalog.products(),
                        tiny_catalog.products()[:1].with_columns(id=pl.lit(9)),
                    ],
                    how="vertical_relaxed",
                ),
            },
        ),
        tiny_catalog.HOW,
    ),
    "images": (
        Files(images=listed(*IMAGES)),
        Files(images=listed(*IMAGES[::-1])),
        Files(images=listed(*IMAGES, "3.png")),
        DEFAULTS,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_rows_are_the_same_data(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(4):
        image = tiny_images.png(tiny_images.pixels(number, 0, 12))
        Path(f"{number}.png").write_bytes(image)
    files, shuffled, added, how = KINDS[kind]
    source = SimpleNamespace(source=str(tmp_path / "data"))

    def now(files):
        prepare(files, tmp_path / "data", how)
        return Identity.of_source(source)

    made = now(files)
    assert Identity.read(made.told) == made
    for other in (shuffled, added):
        found = now(other)
        with pytest.raises(UserError) as caught:
            refuse_other("runs/a", made, found)
        said = str(caught.value)
        assert said.startswith("runs/a is of other data: its ids, their order")
        assert f"was {tmp_path / 'data'} (digest {made.digest[:12]}, made by" in said
        assert f"is  {tmp_path / 'data'} (digest {found.digest[:12]}, made by" in said
    refuse_other("runs/a", made, now(files))


def test_other_sessions_are_other_data(tmp_path):
    made = []
    for how in (How(gap=250), How(gap=50), How(gap=250, unit="s")):
        path = prepare(Files(events=EVENTS), tmp_path / "data", how)
        made.append(Identity.of(Prepared.open(path)))
    assert len({one.digest for one in made}) == 1
    with pytest.raises(UserError, match="prepared with gap 250, now 50"):
        refuse_other("runs/a", made[0], made[1])
    refuse_other("runs/a", made[0], made[2])


def test_data_knows_all_that_it_extends(tmp_path):
    how, made = How(extend=True), []
    for day in range(3):
        frame = EVENTS.with_columns(
            item=pl.format("d{}{}", pl.lit(day), pl.col("item")),
            timestamp=pl.col("timestamp") + day,
        )
        path = prepare(Files(events=frame), tmp_path / "data", how)
        made.append(Identity.of(Prepared.open(path)))
    first, second, third = made
    assert third.extends == (first.digest, second.digest)
    assert third.keeps(first) and third.keeps(second) and not second.keeps(third)
    # The same ids anew are no further data.
    path = prepare(Files(events=frame[::-1]), tmp_path / "data", How(extend=True))
    again = Identity.of(Prepared.open(path))
    assert (again.digest, again.extends) == (third.digest, third.extends)
    with pytest.raises(UserError, match="(?s)ids have been added.*--from runs/a"):
        refuse_other("runs/a", first, third, "runs/a")
    prepare(Files(events=frame), tmp_path / "data", DEFAULTS)
    alone = Identity.of(Prepared.open(tmp_path / "data"))
    assert alone.extends == () and not alone.keeps(third)


def test_what_is_not_prepared_has_no_identity(tmp_path):
    for source in (object(), SimpleNamespace(source=str(tmp_path / "none"))):
        assert Identity.of_source(source) is None
