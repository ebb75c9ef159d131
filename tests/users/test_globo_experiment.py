"""HierTCN's embedding beside PinnerSage: a tiny trained bundle in the experiment."""

import sys
from importlib.util import module_from_spec, spec_from_file_location

import numpy as np
import polars as pl
import pytest
import sessions as support
import small

from recjax.cli.main import main
from recjax.users.paper.methods import LastItem
from recjax.users.paper.rolling_evaluation import METRICS, RollingEvaluation, evaluate

EXPERIMENTS = small.ROOT / "experiments"


@pytest.mark.slow
def test_a_trained_model_is_a_row_of_the_table(tmp_path, monkeypatch):
    known = support.sessions(users=60)
    user = known.session_user[known.event_session].astype(np.int64)
    order = np.lexsort((known.timestamp, user))
    user, row, time = user[order], known.item[order], known.timestamp[order]
    time = time + 1_600_000_000
    article = np.array([f"i{item}" for item in row])
    log = tmp_path / "log.parquet"
    columns = {"user": user, "item": article, "timestamp": time}
    pl.DataFrame(columns).write_parquet(log)
    data, run, bundle = (tmp_path / name for name in ("data", "run", "bundle"))
    told = ["data", "prepare", "--events", log, "--gap", 1_800, "--out", data]
    main([*map(str, told)])
    told = ["train", EXPERIMENTS / "hiertcn_globo.py", "--tiny", "--workdir", run]
    told += ["--on", small.ROOT / "configs" / "cpu.py", "--set", f"data.source={data}"]
    main([*map(str, told), "--set", "export.saved_model=false"])
    main(["export", str(run), "--to", str(bundle)])
    spec = spec_from_file_location("globo", EXPERIMENTS / "pinnersage_globo.py")
    globo = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "globo", globo)
    spec.loader.exec_module(globo)
    # The catalogue holds an article more than the model knows.
    vectors = np.eye(row.max() + 2, dtype=np.float32)
    clicks = globo.Clicks(user, article, row, time.astype(float))
    walk = RollingEvaluation(begin=float(np.quantile(time, 0.2)), days=40, total=5)
    kept = clicks.of(clicks.row >= 0)
    rows = globo.with_hiertcn(bundle, clicks, kept, vectors, 1.0, walk)
    assert [e for _, e in rows.values()] == [1, 1, 3, 3]
    for given, _ in rows.values():
        for query, weight in given.embedding.values():
            assert len(query) == len(weight) and (weight > 0).all()
            assert (given.search(query, 5) <= row.max()).all()
    # With all of a history in one cluster, the cluster is the user.
    (single, _), *_ = rows.values()
    (whole, _) = globo.with_hiertcn(bundle, clicks, kept, vectors, 1e9, walk)[
        "HierTCN of each cluster"
    ]
    for key, (query, _) in whole.embedding.items():
        np.testing.assert_array_equal(query, single.embedding[key][0])
    assert len(whole.embedding) > 10, "too little was compared"
    methods = {**rows, "last item": (LastItem(), 1)}
    found = evaluate(methods, vectors, user, row, clicks.time, walk)
    for name in rows:
        recall = found[name][:, METRICS.index("recall")].mean()
        assert 0 < recall <= 1
