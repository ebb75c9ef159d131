"""Tmall: a small file of its form, and the real one's baselines where it is."""

from types import SimpleNamespace

import numpy as np
import pytest

from recjax import paths
from recjax.data.sessions.next import NextInSession
from recjax.data.sessions.read import load_sessions
from recjax.data.splits import LastOut
from recjax.errors import UserError
from recjax.evals.baselines.markov import SKIP, Markov
from recjax.evals.baselines.popularity import Popularity
from recjax.evals.ranking import Ranking
from recjax.prepare.built_in import prepare_built_in
from recjax.prepare.datasets import tmall

TEXT = "3,5\n0,0:1@2\n1,3:4:0\n"


def raw(monkeypatch, tmp_path, text):
    monkeypatch.setenv("RECJAX_DATA", str(tmp_path / "raw"))
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "raw" / "tmall" / "sessions.csv"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def test_prepared_and_read_back(monkeypatch, tmp_path):
    raw(monkeypatch, tmp_path, TEXT)
    known = load_sessions(prepare_built_in("tmall"))
    np.testing.assert_array_equal(known.item, [0, 1, 2, 3, 4, 0])
    np.testing.assert_array_equal(known.session_start, [0, 2, 3, 6])
    np.testing.assert_array_equal(known.user_start, [0, 2, 3])
    assert not known.timed and tuple(known.user_ids) == ("0", "1")


def test_missing_file_says_where_to(monkeypatch, tmp_path):
    path = raw(monkeypatch, tmp_path, TEXT)
    path.unlink()
    with pytest.raises(UserError) as error:
        prepare_built_in("tmall")
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "row 1: ''"),
        ("3,5\n0,0:1@2\n1,3:x\n", "row 3: '1,3:x'"),
        ("3,5\n0,0:1@2\n1\n", "row 3: '1'"),
        ("3,5\n0,0:1@2\n", "announces"),
        ("3,5\n0,0:1@2\n0,3:4\n", "announces"),
    ],
)
def test_damage_is_named(monkeypatch, tmp_path, text, said):
    path = raw(monkeypatch, tmp_path, text)
    with pytest.raises(UserError, match="Fetch") as error:
        tmall.read(path)
    assert said in str(error.value) and str(path) in str(error.value)


@pytest.mark.slow
@pytest.mark.skipif(
    paths.find_raw(*tmall.FILE) is None, reason=f"no {'/'.join(tmall.FILE)} here"
)
def test_the_baselines_are_those_that_others_measured(monkeypatch, tmp_path):
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path))
    path = prepare_built_in("tmall")
    fit = ("train", "validation")
    data = NextInSession(str(path), LastOut(), fit=fit).open(0)
    assert data.sessions.users == 17_616 and len(data.part) == 116_869
    wanted = {
        Popularity(): (0.017, 0.009, 0.020, 0.011),
        Markov(): (0.219, 0.130, 0.311, 0.185),
        SKIP: (0.246, 0.141, 0.339, 0.196),
    }
    for baseline, figures in wanted.items():
        made = Ranking(scorer=baseline, coverage=False)
        got = made.run(SimpleNamespace(dataset=data), None).figures
        names = ("recall@10", "mrr", "non_first/recall@10", "non_first/mrr")
        found = [got[name] for name in names]
        np.testing.assert_allclose(found, figures, atol=6e-4)
