"""Methods for users beside each other, and the command."""

import csv
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recjax.cli import main as cli
from recjax.evals.baselines.item_knn import ItemKnn
from recjax.evals.fusion import Fusion
from recjax.users import evaluate as methods
from recjax.users.cluster import cluster_users
from recjax.users.held_out import Parting, hold_out
from recjax.users.interests import Embedded, Interests
from recjax.users.paper.methods import DecayAverage
from recjax.users.settings import Settings

DAY = 86_400.0


@pytest.fixture(scope="module")
def data(events, items):
    return hold_out(events, items, Parting(share=0.4))


@given(
    st.sampled_from([0.01, 0.5, 5.0]),
    st.sampled_from([1, 3, 50]),
    st.sampled_from(["medoid", "centroid"]),
)
@settings(max_examples=8, deadline=None)
def test_embeddings_take_turns_among_what_is_new(data, alpha, e, kind):
    total, queries = 40, data.queries("test")
    interests = Interests(data.items, e=e, total=total, alpha=alpha, kind=kind)
    scorer = Interests(
        data.items, e=e, total=total, alpha=alpha, kind=kind, sampled=False
    )
    scores = scorer.fit(data, queries).scores(0, len(queries))
    assert interests.fit(data, queries).scores(0, 2).shape == (2, 300)
    unit, past, task = data.items.unit(np.arange(300)), queries.past, queries.task
    for q in range(len(queries)):
        at = slice(past.start[q], past.stop[q])
        points, age = unit[past.items[at]], (past.when[q] - past.time[at]) / DAY
        whole = np.array([0, len(points)])
        made = cluster_users(points, whole, age, Settings(alpha, 0.01))
        vectors = points[made.medoid] if kind == "medoid" else made.center
        best = np.argsort(-made.importance, kind="stable")[:e]
        out = task.exclude[task.exclude_offsets[q] : task.exclude_offsets[q + 1]]
        lists = []
        for one in vectors[best]:
            order = np.argsort(-(unit @ one), kind="stable")
            lists.append([item for item in order if item not in out][:total])
        turns = [item for place in zip(*lists, strict=True) for item in place]
        expected = list(dict.fromkeys(turns))[:total]
        got = np.argsort(-scores[q], kind="stable")[: len(expected)]
        # Cosines of float32 may tie where sums are in another order.
        assert len(set(got) & set(expected)) >= len(expected) - 1
        assert got[0] == expected[0]
        assert (scores[q] > 0).sum() == len(expected) and not scores[q][out].any()


def test_one_cluster_is_the_mean(data):
    queries = data.queries("validation")
    one = Interests(
        data.items, e=1, alpha=methods.ONE_CLUSTER, kind="centroid", total=30
    )
    mean = Embedded(data.items, DecayAverage(0.0), e=1, total=30)
    left, right = (s.fit(data, queries).scores(0, len(queries)) for s in (one, mean))
    assert np.mean(np.abs(left - right) > 1e-6) < 1e-3


def test_a_fusion_takes_a_folder_of_vectors(data, folder):
    parts = {"counts": ItemKnn(), "interests": Interests(str(folder), total=100)}
    fused = Fusion(parts, "recall_by_query@10").fit(data, data.queries("test"))
    assert set(fused.chosen.weights) <= set(parts) and fused.scores(0, 3).any()


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, folder, events):
    """Returns what the command wrote."""
    out = tmp_path_factory.mktemp("evaluated")
    events.write_parquet(out / "events.parquet")
    cli.main(
        ["users", "evaluate", str(out / "events.parquet"), "--vectors", str(folder)]
        + ["--share", "0.4", "-k", "5", "20"]
        + ["--to", str(out / "a.json"), str(out / "a.csv")]
    )
    return out


def test_the_command_tells_all_methods(evaluated):
    told = json.loads((evaluated / "a.json").read_text())
    rows = {row["method"]: row for row in told["rows"]}
    assert {"mean vector", "last item", "item-kNN", methods.CHOSEN} < set(rows)
    best = max(rows.values(), key=lambda row: row["recall"]["20"])
    assert told["verdict"].startswith(best["method"])
    for row in rows.values():
        low, high = row["interval"]["20"]
        assert 0 <= low <= row["recall"]["20"] <= high <= 1
    # Topics are clusters: interests find what no list for everybody does.
    gain = rows[methods.CHOSEN]["recall"]["20"] - rows["popularity"]["recall"]["20"]
    assert gain > 0.1
    lines = list(csv.DictReader((evaluated / "a.csv").open()))
    assert len(lines) == 2 * len(rows)
    assert {line["k"] for line in lines} == {"5", "20"}


def test_wrong_arguments(tmp_path, capsys):
    for wrong, said in (
        (["--to", "a.txt"], "--to a.txt"),
        (["--after", "soon"], "--after soon"),
    ):
        with pytest.raises(SystemExit):
            cli.main(["users", "evaluate", "nofile.csv", *wrong])
        assert said in capsys.readouterr().err
