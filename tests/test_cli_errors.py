"""Bad experiments, configs and arguments: one clear error and exit status 2."""

import subprocess
import sys

import command
import pytest
import small

import recjax
from recjax.cli import main

SMALL = """import small
from recjax.evals.ranking import Ranking


def experiment():
    return small.experiment"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Returns an experiment file and a config."""
    return small.write_files(tmp_path_factory.mktemp("files"))


@pytest.fixture
def trains(capfd, files, tmp_path):
    """Returns the message of a `train` that must fail."""

    def fails(*more, experiment=files[0], on=files[1], workdir=tmp_path / "new"):
        told = ("train", experiment, "--on", on, "--workdir", workdir, *more)
        return command.fails(capfd, *told)

    return fails


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def experiment(:\n", ["SyntaxError", "line 1"]),
        ("import nowhere_at_all\n", ["line 1", "No module named 'nowhere_at_all'"]),
        ("\n\nx = 1 / 0\n", ["line 3", "ZeroDivisionError"]),
        ("def experiment():\n    return small\n", ["line 2", "'small' is not defined"]),
        ("def experment():\n    pass\n", ["no function experiment()", "'experment'"]),
        ("def experiment():\n    return 3\n", ["returned int, expected Experiment"]),
        ("def experiment(name):\n    pass\n", ["TypeError", "'name'"]),
        ("import small\nexperiment = 3\n", ["TypeError", "not callable"]),
        (
            SMALL + "(steps=-1)\n",
            ["line 6", "steps = -1: must be at least 0"],
        ),
        (
            SMALL + "(best='a/b')\n",
            ["best = 'a/b'", "no evaluation 'a' runs in training"],
        ),
        (
            SMALL + "(evals={'a': Ranking('tset')})\n",
            ["evals.a.split = 'tset'", "Did you mean 'test'"],
        ),
        ("\0", ["null bytes"]),
    ],
)
def test_experiment_files(trains, tmp_path, text, words):
    path = tmp_path / "mine.py"
    path.write_text(text)
    message = trains(experiment=path)
    assert not [word for word in words if word not in message], message
    assert "mine.py" in message or "best" in message or "evals" in message
    assert not (tmp_path / "new").exists()


def test_paths_of_experiments_and_configs(trains, capfd, tmp_path, files):
    message = trains(experiment=files[0].with_name("experimnt.py"))
    assert "no such file" in message and "Did you mean" in message
    assert "experiment.py'" in message
    assert "is a folder" in trains(experiment=tmp_path)
    message = trains(on=small.ROOT / "configs" / "cpu9.py")
    assert "no such file" in message and "configs/cpu8.py'" in message
    message = trains(on=files[0])
    assert "defines no function runtime()" in message
    message = command.fails(capfd, "show", files[0], "--on", files[1], "--tiny")
    assert "defines no function tiny()" in message
    (tmp_path / "notes.txt").write_text("def experiment(): pass")
    assert "is not a Python file" in trains(experiment=tmp_path / "notes.txt")


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("model.temprature=1", "Did you mean 'model.temperature'"),
        ("steps=many", "expected int, now 30"),
        ("steps", "expected path=value"),
        ("steps=-3", "--set steps=-3: steps = -3: must be at least 0"),
        ("model=3", "set one of its parts: query, candidate, tables"),
        ("losses.softmax.random=2", "expected bool, now True"),
        ("data.settings.fit=('trian',)", "no split 'trian'; choose 'train'"),
        ("data.settings.batch_size=0", "batch size 0: must be at least 1"),
        (
            "data.settings.split.fractions=(1, 0, 0)",
            "Split fractions (1.0, 0.0, 0.0) must",
        ),
        ("data.settings.split=ByQuery()", "ByQuery needs queries, which these events"),
    ],
)
def test_settings(trains, assignment, words):
    assert words in trains("--set", assignment)


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("mesh.data=64", "needs 64 devices"),
        ("mesh.data=0", "does not fit"),
        ("log_every=0", "log_every = 0: must be at least 1"),
        ("checkpoint_every=0", "must be at least 1"),
        ("keep=0", "must be at least 1"),
        ("threads=-1", "must be at least 0"),
        ("matmul_precision=best", "expected 'default' or 'high' or 'highest'"),
        ("log_evry=1", "Did you mean 'log_every'"),
    ],
)
def test_runtime_settings(trains, assignment, words):
    assert words in trains("--set-runtime", assignment)


def test_a_config_without_the_axis_of_the_batch(trains, tmp_path):
    text = "from recjax.experiment import Runtime\n\n\ndef runtime():\n"
    (tmp_path / "config.py").write_text(text + "    return Runtime({'model': 1})\n")
    message = trains(on=tmp_path / "config.py")
    assert "config.py, line 5" in message and "has no axis 'data'" in message


def test_a_model_that_does_not_fit_its_data(trains, tmp_path):
    for part, change, words in (
        ("model", "tables={}", "no table"),
        ("optimizer", "rules={'.*': made.optimizer.rules['.*']}", "no row rule covers"),
        ("optimizer", "rules={'tables/.*': RowwiseAdagrad(1)}", "no rule covers"),
    ):
        (tmp_path / "mine.py").write_text(
            "import small\nfrom recjax.optim import RowwiseAdagrad\n\n\n"
            "def experiment():\n    made = small.experiment()\n"
            f"    changed = small.replace(made.{part}, {change})\n"
            f"    return small.replace(made, {part}=changed)\n"
        )
        assert words in trains(experiment=tmp_path / "mine.py")


def test_a_batch_that_the_mesh_does_not_divide(files, tmp_path):
    done = small.recjax(
        *("train", files[0], "--on", files[1], "--workdir", tmp_path / "run"),
        *("--set-runtime", "mesh.data=8", "--set", "data.settings.batch_size=12"),
        XLA_FLAGS=small.devices(8),
    )
    assert done.returncode == 2, done.stderr
    assert (
        "recjax: error: a batch array of 12 rows does not split over 8" in done.stderr
    )
    assert "Traceback" not in done.stderr


def test_nothing_binds_a_run_that_has_no_state_yet(trains, tmp_path):
    assert "needs 64" in trains("--set", "seed=1", "--set-runtime", "mesh.data=64")
    assert "needs 65" in trains("--set", "seed=2", "--set-runtime", "mesh.data=65")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trian"], "recjax has no command 'trian'. Did you mean 'train'?"),
        (
            ["data", "valdate", "x"],
            "recjax data has no command 'valdate'. Did you mean",
        ),
        (["data", "prepare", "movielens"], "Did you mean 'movielens_100k'?"),
        (
            ["session", "xyz"],
            "There are feed, users, ask, close (`recjax session --help`)",
        ),
        (["session", ""], "recjax session has no command ''. There are feed"),
    ],
)
def test_an_unknown_command_names_the_nearest(capfd, arguments, words):
    assert words in command.fails(capfd, *arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing subcommand"),
        (["train"], "--workdir PATH"),
        (["train", "x.py"], "--workdir PATH"),
        (
            ["train", "x.py", "--workdir", "a", "--sett", "b"],
            "Perhaps you meant: --set",
        ),
        (["train", "x.py", "--workdir", "a", "--debug", "b"], "invalid choice 'b'"),
        (["query", "b", "-k", "ten"], "invalid literal for int()"),
        (["eval"], "run folder"),
    ],
)
def test_the_parser_says_what_is_wrong(capfd, arguments, words):
    assert words in command.misused(capfd, *arguments)


def test_a_best_metric_that_its_evaluation_does_not_find(trains, tmp_path):
    path = tmp_path / "mine.py"
    evals = "{'a': Ranking('validation', every=5)}"
    path.write_text(f"{SMALL}(best='a/ndgc@10', evals={evals})\n")
    message = trains(experiment=path)
    assert "finds no 'ndgc@10'. Did you mean 'a/ndcg@10'" in message


def test_the_version_and_what_recjax_is(capfd):
    command.main(["--version"])
    assert capfd.readouterr().out == f"recjax {recjax.__version__}\n"
    with pytest.raises(SystemExit):
        command.main(["--help"])
    usage, about = capfd.readouterr().out.split("\n\n")[:2]
    assert usage.startswith("usage: recjax")
    assert about.startswith("Trains, evaluates, exports and serves retrieval embed")


@pytest.mark.parametrize("name", ["--set-runtime", "--set_runtime"])
def test_options_have_hyphens_and_are_taken_with_underscores_too(trains, capfd, name):
    assert "Did you mean 'log_every'" in trains(name, "log_evry=1")
    with pytest.raises(SystemExit):
        command.main(["train", "--help"])
    said = capfd.readouterr().out
    assert "--set-runtime" in said and "--set_runtime" not in said


def commands(app, *before):
    """Yields the words of every command."""
    for name, one in app._subcommands.items():
        inner = hasattr(one.target, "_subcommands")
        yield from commands(one.target, *before, name) if inner else [(*before, name)]


@pytest.mark.parametrize("words", [*commands(main.app)], ids=" ".join)
def test_no_option_is_a_double_negative(capfd, words):
    with pytest.raises(SystemExit):
        command.main([*words, "--help"])
    assert "--no-no-" not in capfd.readouterr().out


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "| true"])
@pytest.mark.parametrize("told", ["--help", "--version", "trian"])
def test_closed_outputs_are_no_traceback(closed, told):
    line = f"{sys.executable} -m recjax {told} {closed}; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, env=small.environment()
    )
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
    status = int(done.stdout.splitlines()[-1])
    assert status == 2 if told == "trian" else status in (0, 1)
