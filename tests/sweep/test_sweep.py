"""A sweep of small runs: run once, gone on, told apart, stopped."""

import json
import os
import signal
import subprocess
import sys
import time

import command
import pytest
import small

from recjax.cli.main import main
from recjax.sweep import jobs

EXPERIMENT = '''"""A small experiment, and one of its variants fails."""

from dataclasses import replace

import small

from recjax.evals.ranking import Ranking


def experiment():
    """Returns the experiment."""
    return small.experiment(steps=4, evals={"test": Ranking("test")})


def sweep(base):
    """Returns the variants."""
    broken = replace(base.optimizer, schedule=small.Explode(1))
    return {
        "base": base,
        "broken": replace(base, optimizer=broken),
        "longer": replace(base, steps=6),
    }
'''


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    _, config = small.write_files(folder)
    (folder / "experiment.py").write_text(EXPERIMENT)
    return folder / "experiment.py", config


@pytest.fixture(autouse=True)
def paths(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", small.environment()["PYTHONPATH"])
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")


def told(files, workdir, *more):
    return ["sweep", files[0], "--on", files[1], "--workdir", workdir, *more]


def call(*arguments):
    main([str(one) for one in arguments])


@pytest.mark.slow
def test_the_whole_way(files, tmp_path, capfd):
    work = tmp_path / "sweep"
    with pytest.raises(SystemExit) as ended:
        call(*told(files, work, "--show", "test/mrr"))
    assert ended.value.code == 1
    out = capfd.readouterr().out
    assert "failed: broken seed 3:" in out and "NaN" in out
    assert len(list(work.glob("*/seed_3/result.json"))) == 2
    record = json.loads((work / "sweep.json").read_text())
    figures = {
        name: json.loads((work / name / "seed_3" / "result.json").read_text())
        for name in ("base", "longer")
    }
    mrr = {name: one["results"]["test"]["mrr"] for name, one in figures.items()}
    means = {row["variant"]: row["value"] for row in record["rows"]}
    assert means["base"]["mean"] == mrr["base"] and means["broken"] is None
    assert record["rows"][2]["difference"]["mean"] == mrr["longer"] - mrr["base"]
    assert (work / "sweep.png").read_bytes().startswith(b"\x89PNG")
    for name in ("sweep.md", "sweep.csv", "sweep.html", "runs.csv"):
        assert "longer" in (work / name).read_text()
    before = (work / "base" / "seed_3" / "result.json").stat().st_mtime_ns
    call(*told(files, work, "--only", "base", "--table"))
    call(*told(files, work, "--only", "base"))
    assert (work / "base" / "seed_3" / "result.json").stat().st_mtime_ns == before
    forget(work / "base" / "seed_3", "model.learn_temperature = True")
    before = (work / "base" / "seed_3" / "result.json").stat().st_mtime_ns
    call(*told(files, work, "--only", "base"))
    assert (work / "base" / "seed_3" / "result.json").stat().st_mtime_ns == before
    message = command.refused(
        capfd, *told(files, work, "--set", "model.temperature=0.5")
    )
    assert "holds a run with other settings" in message
    assert "+ model.temperature = 0.5" in message


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_what_asks_for_a_stop_interrupts_the_sweep(how):
    before = signal.getsignal(how)
    with pytest.raises(KeyboardInterrupt), jobs._terminate_as_interrupt():
        os.kill(os.getpid(), how)
    assert signal.getsignal(how) is before


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_runs_stop_cleanly_with_their_sweep(files, tmp_path, how):
    work = tmp_path / "sweep"
    more = ("--only", "base", "--set", "steps=100000")
    process = subprocess.Popen(
        [sys.executable, "-m", "recjax", *map(str, told(files, work, *more))],
        cwd=small.ROOT,
        env=small.environment(),
        stderr=subprocess.PIPE,
        text=True,
        # Where tests run in the background, a shell may have told us to ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    run = work / "base" / "seed_3"
    try:
        wait(lambda: trains(run) or process.poll() is not None)
        assert process.poll() is None
        process.send_signal(how)
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    if how == signal.SIGINT:
        assert process.returncode == 130 and "recjax: interrupted" in errors
    else:
        wait(lambda: not runs(run))
    assert not runs(run)
    assert "SIGTERM: saved step" in (run / "log.txt").read_text()
    assert any(p.name.isdigit() for p in (run / "checkpoints").iterdir())
    assert not (run / "result.json").exists()


def forget(folder, line):
    """Makes a run one of a version that had no such setting."""
    written_in = {"experiment.txt": f"{line}\n", "result.json": f'"{line}",'}
    for name, written in written_in.items():
        text = (folder / name).read_text()
        assert text.count(written) == 1
        (folder / name).write_text(text.replace(written, ""))


def trains(folder):
    log = folder / "log.txt"
    return log.exists() and "step " in log.read_text()


def runs(folder):
    all_of_it = ["ps", "-ww", "-eo", "args"]
    listed = subprocess.run(all_of_it, capture_output=True, text=True)
    return f"--workdir {folder}" in listed.stdout


def wait(until):
    began = time.monotonic()
    while not until():
        assert time.monotonic() - began < 120
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--only", "bse"], "Did you mean 'base'"),
        (["--seeds", "0,x"], "expected whole numbers"),
        (["--seeds", "1,1"], "named twice"),
        (["--grid", "steps"], "expected path=value,value"),
        (["--grid", "seed=1,2"], "use --seeds 1,2"),
        (["--grid", "model.temprature=1,2"], "Did you mean 'model.temperature'"),
        (["--jobs", "0"], "must be at least 1"),
    ],
)
def test_what_is_asked_wrongly(files, tmp_path, capfd, more, says):
    assert says in command.fails(capfd, *told(files, tmp_path / "s", *more))
    assert not os.listdir(tmp_path)


def test_the_runs_of_a_grid(files, tmp_path):
    from recjax.sweep.plan import plan
    from recjax.train.request import Request

    request = Request(str(files[0]), str(files[1]))
    grid = ("model.temperature=0.05,0.1", "model.query.hidden=(8,),(12,8)")
    cells = plan(request, tmp_path, grid, (0, 5))
    assert len(cells) == 3 * 2 * 2 * 2 == len({cell.folder for cell in cells})
    one = cells[7]
    assert one.variant == "base,model.temperature=0.1,model.query.hidden=(12,8)"
    resolved, _ = one.request.resolve()
    assert (resolved.seed, resolved.model.temperature) == (5, 0.1)
    assert resolved.model.query.hidden == (12, 8)


def test_without_anything_to_compare(tmp_path, capfd):
    experiment, config = small.write_files(tmp_path / "files")
    arguments = ["sweep", experiment, "--on", config, "--workdir", tmp_path / "s"]
    assert "there is nothing to compare" in command.fails(capfd, *arguments)
