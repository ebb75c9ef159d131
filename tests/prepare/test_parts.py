"""Parts read one by one give what one reading of all of them gives."""

import random
import socket
import subprocess

import pytest
import random_tables as tables
import table_oracle as oracle
from preparing import far, files_of, same

from recjax import jobs
from recjax.prepare.options import Files, How
from recjax.prepare.parts import Parts
from recjax.prepare.prepare import check, prepare
from recjax.prepare.write import MARK

NAMES = ("user", "item", "impressions", "price", "timestamp")
HOW = How(now=oracle.NOW, column=("impressions=ids", "price=number"))
START = 1_600_000_000


def test_random_parts(tmp_path):
    rows = 0
    for seed in range(16):
        rng, folder = random.Random(seed), tmp_path / str(seed)
        (folder / "work").mkdir(parents=True)
        whole, count = tables.table(rng), rng.choice([2, 3])
        for part in range(count):
            file = folder / "events" / f"{part}.csv"
            file.parent.mkdir(exist_ok=True)
            content = tables.as_csv(rng, whole[part::count], ",", NAMES)
            file.write_bytes(tables.damaged(rng, content).replace(b"\0", b"0"))
        files, parts = Files(events=file.parent), Parts(far, folder / "work", 8)
        rows += same(check(files, HOW), check(files, HOW, parts))
    assert rows > 40


@pytest.fixture
def folder(tmp_path):
    """Parts whose ids, categories and sessions come in another order each."""
    made = tmp_path / "events"
    made.mkdir()
    for part in range(3):
        lines = "".join(
            f"u{(i * 7 + part) % 5},i{(i + part) % 4},{START + i * 60 + part},"
            f"{'view buy save'.split()[(i + part) % 3]}\n"
            for i in range(10)
        )
        (made / f"{part}.csv").write_text(f"user,item,timestamp,action\n{lines}")
    return made


def test_a_prepared_data_set(folder, tmp_path):
    files, how = Files(events=folder), How(gap=120, user_events=2)
    one = prepare(files, tmp_path / "one", how)
    done = subprocess.Popen(["true"])
    done.wait()
    # What a killed preparation left behind goes.
    dead = f".other{MARK}{socket.gethostname()}-{done.pid}.parts"
    (tmp_path / dead).mkdir()
    other = prepare(files, tmp_path / "other", how, far)
    assert files_of(one) == files_of(other) and len(files_of(one)) > 6
    assert {path.name for path in tmp_path.iterdir()} == {"events", "one", "other"}


def test_beam(folder, tmp_path):
    pytest.importorskip("apache_beam", reason="the extra `beam` is not installed")
    files = Files(events=folder)
    one = prepare(files, tmp_path / "one")
    other = prepare(files, tmp_path / "other", each=jobs.beam())
    assert files_of(one) == files_of(other)


def test_a_column_of_later_parts_is_left_out(tmp_path):
    (tmp_path / "work").mkdir()
    folder, plain = tmp_path / "events", tmp_path / "plain" / "events"
    for part, more in enumerate(("", ",x", ",x")):
        for made, tail in ((folder, more), (plain, "")):
            made.mkdir(exist_ok=True, parents=True)
            rows = f"u,i{part},{START + part}{tail and ',7'}\n"
            (made / f"{part}.csv").write_text(f"user,item,timestamp{tail}\n{rows}")
    parts, skip = Parts(far, tmp_path / "work", 8), How(column=("x=skip",))
    one, other = check(Files(events=folder), skip), check(Files(events=plain), How())
    assert same(one, other) == 3
    assert same(one, check(Files(events=folder), skip, parts)) == 3
    renamed = How(column=("y=skip",), rename=("x=y",))
    told = str(check(Files(events=folder), renamed).report)
    assert "0.csv: renamed column is not there" in told and "no such" not in told
    # A column that is in no part has the nearest of all parts.
    told = str(check(Files(events=folder), How(column=("xx=skip",))).report)
    assert "'xx' Did you mean 'x'" in told
    assert "1.csv: columns that not all parts have\n  'x'" in told
    assert "--column x=skip" in told
