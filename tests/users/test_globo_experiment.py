"""HierTCN's embedding beside PinnerSage: a tiny trained bundle in the experiment."""

import sys
from importlib.util import module_from_spec, spec_from_file_location

import numpy as np
import polars as pl
import pytest
import sessions as support
import small

from recjax.cli.main import main
from recjax.users.methods import LastItem
from recjax.users.walk import METRICS, Walk, evaluate

EXPERIMENTS = small.ROOT / "experiments"


@pytest.mark.slow
def test_a_trained_model_is_a_row_of_the_table(tmp_path, monkeypatch):
    known = support.sessions(users=60)
    user = known.session_user[known.event_session].astype(np.int64)
    order = np.lexsort((known.timestamp, user))
    user, row, time = user[order], known.item[order], known.timestamp[order]
    article = np.array([f"i{item}" for item in row])
    log = tmp_path / "log.parquet"
    columns = {"user": user, "item": article, "timestamp": time}
    pl.DataFrame(columns).write_parquet(log)
    data, run, bundle = (tmp_path / name for name in ("data", "run", "bundle"))
    main(["data", "prepare", "sessions", str(log), "--out", str(data)])
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
    walk = Walk(begin=float(np.median(time)), days=3, total=5)
    given = globo.hiertcn(bundle, clicks, vectors, walk)
    assert (given.search(next(iter(given.embedding.values())), 5) <= row.max()).all()
    methods = {"HierTCN": (given, 1), "last item": (LastItem(), 1)}
    found = evaluate(methods, vectors, user, row, clicks.time, walk)
    recall = found["HierTCN"][:, METRICS.index("recall")].mean()
    assert 0 < recall <= 1
