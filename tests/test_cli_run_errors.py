"""Bad runs and bundles: one clear error and exit status 2."""

import contextlib
import io
import json
import shlex
import shutil

import command
import pytest
import small

from recjax.cli.main import main

EXPORTS = '''"""A small experiment that exports."""

import small

from recjax.bundle.two_tower import Bundle


def experiment():
    """Returns the experiment."""
    return small.experiment(export=Bundle(saved_model=False, min_recall=0.0), steps=2)
'''


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Returns an experiment file and a config."""
    folder = tmp_path_factory.mktemp("files")
    _, config = small.write_files(folder)
    (folder / "experiment.py").write_text(EXPORTS)
    return folder / "experiment.py", config


@pytest.fixture
def trains(capfd, files, tmp_path):
    """Returns the message of a `train` that must fail."""

    def fails(*more, experiment=files[0], on=files[1], workdir=tmp_path / "new"):
        told = ("train", experiment, "--on", on, "--workdir", workdir, *more)
        return command.fails(capfd, *told)

    return fails


@pytest.fixture(scope="module")
def whole_run(files, tmp_path_factory):
    run, said = tmp_path_factory.mktemp("run") / "run", io.StringIO()
    with contextlib.redirect_stdout(said):
        main([str(a) for a in ("train", files[0], "--on", files[1], "--workdir", run)])
    assert said.getvalue().endswith(f"next:\n  recjax export {run} --to bundles/run\n")
    return run


@pytest.fixture(scope="module")
def whole_bundle(whole_run, tmp_path_factory):
    bundle, said = tmp_path_factory.mktemp("bundle") / "bundle", io.StringIO()
    with contextlib.redirect_stdout(said):
        main(["export", str(whole_run), "--to", str(bundle)])
    told, _, commands = said.getvalue().partition("next:\n")
    assert "it answers as the trained model does: scores differ by" in told
    assert "its index finds" in told and "difference" not in told
    serve, ask = commands.splitlines()
    assert serve.strip() == f"recjax serve {bundle}"
    main(shlex.split(ask)[1:])
    return bundle


@pytest.fixture
def run(whole_run, tmp_path):
    """Returns a run to damage."""
    return shutil.copytree(whole_run, tmp_path / "run")


@pytest.fixture
def bundle(whole_bundle, tmp_path):
    """Returns a bundle to damage."""
    return shutil.copytree(whole_bundle, tmp_path / "bundle")


def test_work_folders(trains, tmp_path, run):
    message = trains("--set", "seed=9", workdir=run)
    assert "holds a run with other settings" in message
    assert "- seed = 3" in message and "+ seed = 9" in message
    assert "choose another --workdir" in message
    (tmp_path / "file").write_text("")
    for bad in (tmp_path / "file", tmp_path / "file" / "run"):
        message = trains(workdir=bad)
        assert f"cannot write the run folder {bad}" in message
        assert "choose another --workdir" in message
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "a.py").write_text("precious")
    message = trains(workdir=tmp_path / "mine")
    assert "holds experiment but no experiment.txt" in message
    assert (tmp_path / "mine" / "experiment" / "a.py").read_text() == "precious"


@pytest.mark.parametrize(
    "setting, words",
    [
        ("widths=((4, 1.0), (99, 1.0))", "widths: 99 of vectors of 8 numbers"),
        ("mask_known=True", "mask_known: the batch gives no known positives"),
    ],
)
def test_losses_that_cannot_be_had(trains, setting, words):
    message = trains("--set", f"losses.softmax.{setting}")
    assert f"losses.softmax: {words}" in message


def test_rows_that_do_not_divide(trains):
    message = trains("--set-runtime", "softmax_rows=7")
    words = "losses.softmax: runtime.softmax_rows = 7 does not divide a batch of"
    assert words in message


def test_runs(capfd, tmp_path, run):
    def fails(*arguments):
        return command.fails(capfd, *arguments)

    bundle = tmp_path / "to"
    for told in (["eval"], ["export", "--to", bundle]):
        assert "is no run folder" in fails(told[0], tmp_path / "none", *told[1:])
        assert "is no run folder" in fails(told[0], tmp_path, *told[1:])
        message = fails(told[0], run, *told[1:], "--best")
        assert "names no best metric" in message
    message = fails("export", run, "--to", bundle, "--set", "export.corpus=itm")
    assert "export.corpus = 'itm': the data has ['item']" in message
    message = fails("export", run, "--to", bundle, "--set", "steps=3")
    assert "only how it is exported can be set" in message
    assert f"{run} exists; choose another folder" in fails("export", run, "--to", run)
    record = (run / "run.json").read_text()
    for damaged in (record[:9], "[]", "{}"):
        (run / "run.json").write_text(damaged)
        assert "run.json is damaged" in fails("eval", run)
    (run / "run.json").write_text(record)
    (run / "checkpoints").rename(run / "elsewhere")
    assert "train the run first" in fails("eval", run)
    (run / "checkpoints").mkdir()
    assert "holds no checkpoint: train the run first" in fails("eval", run)
    (run / "experiment" / "experiment.py").unlink()
    assert "no such file" in fails("eval", run)


def test_all_checkpoints_truncated(capfd, trains, run):
    (folder,) = [p for p in (run / "checkpoints").iterdir() if p.is_dir()]
    files = [path for path in folder.rglob("*") if path.is_file()]
    largest = max(files, key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-20])
    for told in (["eval", run], ["export", run, "--to", run / "to"]):
        message = command.fails(capfd, *told)
        assert message.startswith("no checkpoint can be read")
        assert str(largest) in message and "bytes" in message
    assert not (run / "to").exists()
    message = trains(workdir=run)
    assert "no checkpoint can be read" in message and "start the run anew" in message


def test_a_checkpoint_of_another_model(capfd, run):
    text = (run / "experiment" / "experiment.py").read_text()
    text = text.replace("steps=2)", "steps=2, items=300)")
    (run / "experiment" / "experiment.py").write_text(text)
    message = command.fails(capfd, "eval", run)
    assert "the texts that table 'token' is learned for are others now" in message


def test_an_experiment_that_exports_nothing(capfd, run):
    (run / "experiment" / "experiment.py").write_text(small.EXPERIMENT)
    message = command.fails(capfd, "export", run, "--to", run / "to")
    assert "has export=None" in message


def test_a_bundle_that_cannot_be_written(capfd, run, tmp_path):
    (tmp_path / "file").write_text("")
    message = command.fails(capfd, "export", run, "--to", tmp_path / "file" / "to")
    assert "cannot write the bundle" in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give --text, --history or --column"),
        (["--text", "  "], "give --text, --history or --column"),
        (["--text", "red", "-k", "0"], "ask for at least one result"),
        (["--text", "red", "-k", "-4"], "ask for at least one result"),
        (["--history", "i7", "--history", "i4x"], "Did you mean 'i4'"),
        (["--history", ""], "the bundle knows no item ''"),
    ],
)
def test_questions(capfd, whole_bundle, arguments, words):
    assert words in command.fails(capfd, "query", whole_bundle, *arguments)


def test_more_results_than_items_are_all_items(capfd, whole_bundle):
    main(["query", str(whole_bundle), "--history", "i7", "-k", "999", "--json"])
    found = json.loads(capfd.readouterr().out)
    assert len(found) == 39 and "i7" not in [item["id"] for item in found]


def test_bundles(capfd, tmp_path, bundle):
    def fails(folder=bundle):
        return command.fails(capfd, "query", folder, "--text", "red")

    for folder in (tmp_path, tmp_path / "none"):
        assert "is not a bundle of recjax export" in fails(folder)
    listed = [path for path in sorted(bundle.rglob("*")) if path.is_file()]
    assert len(listed) > 5
    for path in listed:
        whole = path.read_bytes()
        if path.name == "manifest.json":
            path.write_bytes(whole[:-30])
            assert "not a readable manifest" in fails()
        else:
            path.write_bytes(whole[:-1])
            assert f"{path}: truncated" in fails()
            path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
            assert f"{path}: changed since the export" in fails()
            path.unlink()
            assert f"{path}: missing" in fails()
        path.write_bytes(whole)
    (bundle / "manifest.json").unlink()
    assert "is not a bundle of recjax export" in fails()


def test_a_text_for_a_bundle_that_takes_none(capfd, bundle):
    path = bundle / "inputs" / "inputs.json"
    index = json.loads(path.read_text())
    del index["text"]
    path.write_text(json.dumps(index))
    manifest = json.loads((bundle / "manifest.json").read_text())
    del manifest["files"]["inputs/inputs.json"]
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    message = command.fails(capfd, "query", bundle, "--text", "red")
    assert "the bundle takes" in message and "not 'text'" in message


def test_a_fresh_process_says_the_same(tmp_path):
    done = small.recjax("eval", tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(f"recjax: error: {tmp_path} is no run folder")
    assert done.stderr.count("\n") == 1
