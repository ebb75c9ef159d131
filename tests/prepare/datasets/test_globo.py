"""Globo: small archives, and the real one's baselines where it is."""

from types import SimpleNamespace

import numpy as np
import pytest

from recjax import paths
from recjax.data.sessions.next import NextInSession
from recjax.data.sessions.read import sessions_of
from recjax.data.splits import ByUser
from recjax.errors import UserError
from recjax.evals.baselines.markov import Markov
from recjax.evals.baselines.popularity import RecentPop
from recjax.evals.ranking import Ranking
from recjax.prepare.built_in import prepare_built_in
from recjax.prepare.datasets import globo
from recjax.prepare.sessionize import Filter


def archive(tmp_path, **change):
    arrays = {
        "user": np.array([3, 3, 3, 8]),
        "item": np.array([50, 60, 50, 60]),
        "ts_ms": np.array([1_000, 1_800_999, 5_000_000, 7_000]),
        **change,
    }
    np.savez(tmp_path / "globo_full.npz", **arrays)
    return tmp_path / "globo_full.npz"


def test_sessions_of_clicks(tmp_path):
    data = globo.read(archive(tmp_path), Filter())
    known = sessions_of(*(data.tables[name] for name in ("events", "user", "item")))
    assert data.settings == {"gap": 1_800}
    # 1 s and 1800 s lie 1,799 s apart; 5000 s is over half an hour later.
    np.testing.assert_array_equal(known.session_start, [0, 2, 3, 4])
    np.testing.assert_array_equal(known.user_start, [0, 2, 3])
    np.testing.assert_array_equal(known.timestamp, [1, 1_800, 5_000, 7])
    assert known.item_ids == ("50", "60") and tuple(known.user_ids) == ("3", "8")


def test_damage_is_named(tmp_path):
    path = archive(tmp_path, user=np.array([1]))
    with pytest.raises(UserError, match="1 users, 4 items"):
        globo.read(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match="is not the archive of Globo's clicks"):
        globo.read(path)


@pytest.mark.slow
@pytest.mark.skipif(
    paths.find_raw(*globo.FILE) is None, reason=f"no {'/'.join(globo.FILE)} here"
)
def test_the_baselines_are_those_that_others_measured(monkeypatch, tmp_path):
    monkeypatch.setenv("RECJAX_CACHE", str(tmp_path))
    data = NextInSession(str(prepare_built_in("globo")), ByUser()).open(0)
    known = data.sessions
    assert (known.users, len(known.item_ids)) == (80_237, 3_225)
    assert (len(known.item), len(data.part)) == (1_851_106, 682_343)
    wanted = {
        RecentPop(): (0.119, 0.550, 0.249, 0.077, 0.471, 0.196),
        Markov("session"): (0.092, 0.370, 0.182, 0.143, 0.544, 0.269),
        Markov("session", recent=3_600): (
            *(0.162, 0.607, 0.300),
            *(0.144, 0.559, 0.275),
        ),
    }
    for baseline, figures in wanted.items():
        made = Ranking(scorer=baseline, coverage=False)
        got = made.run(SimpleNamespace(dataset=data), None).figures
        names = ("recall@1", "recall@10", "mrr")
        found = [got[part + name] for part in ("", "non_first/") for name in names]
        # How the measured lines part ties is not known to the last digit.
        np.testing.assert_allclose(found, figures, atol=3e-3)
