"""Every session experiment: the whole way of its tiny twin, by the command line."""

import json

import jax
import pytest
import sessions as support
import small

from recjax.cli.main import main
from recjax.data.sessions.next import NextInSession, NextInSessionData
from recjax.experiment import Runtime, load_experiment
from recjax.pytree import named_leaves
from recjax.sharding.mesh import make_mesh
from recjax.train.program import Program

FOLDER = small.ROOT / "experiments"
NAMES = [
    path.stem
    for path in sorted([*FOLDER.glob("hiertcn_*.py"), *FOLDER.glob("sasrec_*.py")])
    if isinstance(load_experiment(str(path), tiny=True).data, NextInSession)
]


def prepare(folder):
    """Prepares small sessions with the command line; returns the folder."""
    known = support.sessions(users=60)
    user = known.session_user[known.event_session]
    lines = ["user,item,timestamp,session"]
    for event in range(len(known.item)):
        session = known.event_session[event]
        when = known.timestamp[event] + 1_600_000_000
        lines.append(f"u{user[event]},i{known.item[event]},{when},s{session}")
    (folder / "log.csv").write_text("\n".join(lines) + "\n")
    out = folder / "prepared"
    main(["data", "prepare", "--events", str(folder / "log.csv"), "--out", str(out)])
    return out


def test_there_are_session_experiments():
    assert {"hiertcn_tmall", "hiertcn_globo", "hiertcn_rivals"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_no_array_of_the_state_has_a_weak_type(name):
    """A step would make it a firm one, and be compiled anew for it."""
    tiny = load_experiment(str(FOLDER / f"{name}.py"), tiny=True)
    data = NextInSessionData(tiny.data, tiny.seed, support.sessions(users=40))
    program = Program(tiny, Runtime(), data, make_mesh({"data": 1}))
    made = jax.eval_shape(program.init)
    weak = [path for path, leaf in named_leaves(made.params) if leaf.weak_type]
    assert not weak
    assert not any(leaf.weak_type for leaf in jax.tree.leaves(made))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_whole_way_of_the_tiny_twin(name, tmp_path, capsys):
    source, run, bundle = prepare(tmp_path), tmp_path / "run", tmp_path / "bundle"
    told = ["train", FOLDER / f"{name}.py", "--tiny", "--workdir", run]
    told += ["--on", small.ROOT / "configs" / "cpu.py"]
    told += ["--set", f"data.source={source}"]
    main([*map(str, told), "--set", "export.saved_model=false"])
    result = json.loads((run / "result.json").read_text())["results"]
    tiny = load_experiment(str(FOLDER / f"{name}.py"), tiny=True)
    assert set(result) == set(tiny.evals)
    for figures in result.values():
        assert 0 < figures["mrr"] <= figures["recall@20"] + 1 / 20
        assert figures["recall@10"] <= figures["recall@20"]
    main(["eval", str(run)])
    again = json.loads((run / "eval.json").read_text())["results"]
    for evaluation, figures in again.items():
        assert figures["mrr"] == pytest.approx(result[evaluation]["mrr"], abs=1e-6)
    main(["export", str(run), "--to", str(bundle)])
    states = str(tmp_path / "states.npz")
    log = str(tmp_path / "log.csv")
    main(["session", "feed", str(bundle), log, "--states", states])
    capsys.readouterr()
    ask = ["session", "ask", str(bundle), "--states", states, "--user", "u1"]
    main([*ask, "-k", "4", "--json"])
    found = json.loads(capsys.readouterr().out)
    scores = [one["score"] for one in found]
    assert len(found) == 4 and scores == sorted(scores, reverse=True)
