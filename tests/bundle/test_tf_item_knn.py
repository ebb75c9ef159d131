"""Item-kNN in TensorFlow's graphs; queries with and without ages beside each other."""

import numpy as np
import pytest
import small

from recjax.bundle import fusion, tf_fusion
from recjax.evals.baselines.history import History
from recjax.evals.baselines.item_knn import ItemKnn
from recjax.evals.baselines.markov import Markov
from recjax.evals.fused import FusedParts, Part
from recjax.train.program import open_program

COUNTS = {
    "knn": ItemKnn(history=3),
    "habits": History(decay=0.9, half_life=0.01, hours=2.0),
    "chain": Markov(steps=2, last=2, normalize=True, history=0.1),
}


@pytest.fixture(scope="module")
def next_item():
    """Queries with histories: the program, untrained."""
    return open_program(small.experiment(), small.runtime())


LISTS = [["i3", "i4", "nobody's"], [], ["i9"], ["i2", "i2", "i1", "i7"], ["i5", "i6"]]
LISTS.append(["nobody's", "i3", "i4"])
AGES = [[900.0, 60.0, 1.0], [], [7.0], [], [0.0, 0.0], [50.0, 0.0, 0.0]]


def test_tensorflow_weighs_histories_the_same(next_item):
    """With times, without, and with those of some queries alone."""
    tf = pytest.importorskip("tensorflow", reason="needs the extra savedmodel")
    data = next_item.dataset
    ids = data.corpora["item"].ids
    module, rows = tf.Module(), {id: row for row, id in enumerate(ids)}
    for knn in (COUNTS["knn"], ItemKnn(history=1), ItemKnn(popularity_weight=0.0)):
        parts = FusedParts({"knn": Part(1.0, "max", knn, knn.learn(data, "item"))})
        scored = tf_fusion.scores(tf, module, parts, ids)
        for ages in ([[] for _ in LISTS], AGES):
            raw = {"history": LISTS, "history_age": ages}
            wanted = parts.scores(fusion.raw_queries(raw, len(LISTS), rows), None)
            given = {
                name: tf.ragged.constant(one, inner_shape=None).to_tensor(
                    shape=[len(LISTS), 4],
                    default_value="" if name == "history" else 0.0,
                )
                for name, one in raw.items()
            }
            got = scored(tf.zeros([len(LISTS), 8]), given).numpy()
            np.testing.assert_allclose(got, wanted, atol=1e-5)
            assert np.ptp(wanted, 1)[0] > 0
        with pytest.raises(tf.errors.InvalidArgumentError):
            scored(
                tf.zeros([len(LISTS), 8]),
                {**given, "history_age": tf.zeros([len(LISTS), 3])},
            )


def test_queries_are_scored_as_if_each_were_alone(next_item):
    """Whether others say when things happened, or not."""
    data = next_item.dataset
    rows = {id: row for row, id in enumerate(data.corpora["item"].ids)}
    for name, scorer in COUNTS.items():
        learned = scorer.learn(data, "item")

        def found(lists, ages, scorer=scorer, learned=learned):
            raw = {"history": lists, "history_age": ages}
            asked = fusion.raw_queries(raw, len(lists), rows)
            return scorer.answer(learned, asked).scores(0, len(lists))

        one_by_one = zip(LISTS, AGES, strict=True)
        alone = [found([items], [ages])[0] for items, ages in one_by_one]
        np.testing.assert_array_equal(found(LISTS, AGES), alone, err_msg=name)
