"""A real disk that fills up: a memory disk of a few pages, and a command on it."""

import json
import subprocess
import sys

import command
import pytest
import small
import small_disk

from recjax.cli.main import main
from recjax.train.writer import read_metrics

EXPERIMENT = '''"""A small experiment with a best state and a bundle."""

import small

from recjax.evals.ranking import Ranking
from recjax.bundle.two_tower import Bundle


def experiment():
    """Returns the experiment."""
    return small.experiment(
        steps=20,
        evals={"validation": Ranking("validation", every=10)},
        best="validation/ndcg@10",
        export=Bundle(saved_model=False, min_recall=0.0),
    )
'''
SAYS = "the disk is full (No space left on device)"
pytestmark = pytest.mark.slow


@pytest.fixture
def full(tmp_path):
    """Returns a folder on a disk of its own, and a function that sets its size."""
    with small_disk.mounted(tmp_path, "size=4k") as (folder, again):
        yield folder, lambda kilobytes: again(f"size={kilobytes}k")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    _, config = small.write_files(folder)
    (folder / "experiment.py").write_text(EXPERIMENT)
    return folder / "experiment.py", config


@pytest.fixture(scope="module")
def trained(files, tmp_path_factory):
    run = tmp_path_factory.mktemp("run") / "run"
    main(list(map(str, ["train", files[0], "--on", files[1], "--workdir", run])))
    return run


def told(run, files):
    return ("train", files[0], "--on", files[1], "--workdir", run)


def figures(run):
    """Returns what a run wrote, without times and speeds."""
    clocks = ("time", "examples_per_s", "input_wait_share")
    return [
        {k: v for k, v in line.items() if k not in clocks} for line in read_metrics(run)
    ]


# The record of the run; the figures; the best state; the newest state.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kilobytes", [8, 24, 96, 180])
def test_training_stops_and_goes_on(capfd, files, full, trained, kilobytes):
    folder, resize = full
    run = folder / "run"
    resize(kilobytes)
    message = command.refused(capfd, *told(run, files))
    assert f"{run}" in message and SAYS in message
    assert "run the same command again to go on" in message
    resize(64_000)
    main([str(one) for one in told(run, files)])
    for name in ("experiment.txt", "run.json", "best.json"):
        whole = (trained / name).read_text().split("date:")[0]
        assert (run / name).read_text().split("date:")[0] == whole
    assert figures(run) == figures(trained)
    results = [json.loads((r / "result.json").read_text()) for r in (run, trained)]
    scores = [
        {k: v for k, v in one["results"]["validation"].items() if k != "seconds"}
        for one in results
    ]
    assert scores[0] == scores[1]
    left = [p for p in run.rglob("*") if p.name.endswith(".tmp") or "-tmp" in p.name]
    assert not left


@pytest.mark.parametrize("kilobytes", [64, 160, 200, 320])
def test_threads_that_fail_too_say_nothing(files, full, kilobytes):
    folder, resize = full
    resize(kilobytes)
    train = [sys.executable, "-m", "recjax", *map(str, told(folder / "run", files))]
    done = subprocess.run(
        train,
        cwd=small.ROOT,
        env=small.environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and done.stderr.count(SAYS) == 1
    assert "Traceback" not in done.stderr and "future:" not in done.stderr


@pytest.mark.parametrize("kilobytes", [4, 32, 64])
def test_an_export_leaves_nothing(capfd, full, trained, kilobytes):
    folder, resize = full
    resize(kilobytes)
    bundle = folder / "bundle"
    message = command.refused(capfd, "export", trained, "--to", bundle)
    assert f"cannot write the bundle {bundle}: {SAYS}; free space" in message
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("kilobytes", [4, 64])
def test_a_preparation_leaves_nothing(capfd, full, tmp_path, kilobytes):
    folder, resize = full
    resize(kilobytes)
    events = tmp_path / "events.csv"
    pairs = ((u, i) for u in range(200) for i in range(20))
    rows = (f"user {u},item {i},{1_600_000_000 + u * 7 + i}" for u, i in pairs)
    events.write_text("\n".join(["user,item,timestamp", *rows]) + "\n")
    out = folder / "data"
    message = command.refused(
        capfd, "data", "prepare", "--events", events, "--out", out
    )
    assert f"cannot write the prepared data set {out}: {SAYS}; free" in message
    assert list(folder.iterdir()) == []


def test_an_output_that_is_full(files):
    with open("/dev/full", "w") as out:
        done = subprocess.run(
            [
                small.sys.executable,
                "-m",
                "recjax",
                "show",
                *files[:1],
                "--on",
                files[1],
            ],
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            cwd=small.ROOT,
            env=small.environment(),
        )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "recjax: error: cannot write the output: "
        "the disk is full (No space left on device)"
    )
    assert "Traceback" not in done.stderr
