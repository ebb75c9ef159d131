"""Item-kNN over sessions against a loop over pairs of items."""

import numpy as np
import pytest
import sessions as support

from recjax.data.dataset import Queries
from recjax.evals.baselines.session_knn import SessionKnn
from recjax.metrics.task import RankingTask


def naive(known, train, event, options):
    """Scores items before one event, session by session."""
    size = len(known.item_ids)
    held = [
        set(known.item[start:stop][train[start:stop]])
        for start, stop in zip(
            known.session_start, known.session_start[1:], strict=False
        )
    ]
    support_of = np.array([sum(i in one for one in held) for i in range(size)])
    similar = np.zeros((size, size))
    for one in range(size):
        for other in range(size):
            both = sum(one in s and other in s for s in held)
            product = np.prod(np.sqrt(support_of[[one, other]] + options.shrink))
            similar[one, other] = both / product if one != other else 0
        kept = np.argsort(-similar[one], kind="stable")[: options.neighbours]
        similar[one, np.setdiff1d(np.arange(size), kept)] = 0
    user = known.session_user[known.event_session]
    scores = np.zeros(size)
    for back in range(options.last):
        at = event - 1 - back
        if at >= 0 and user[at] == user[event]:
            scores += options.decay**back * similar[known.item[at]]
    return scores


@pytest.mark.parametrize(
    "options", [SessionKnn(4, 1.0), SessionKnn(3, 20.0, last=3, decay=0.5)]
)
def test_scores_against_a_loop(options):
    known = support.sessions(1, users=10, items=9)
    data = support.opened(known)
    train = np.random.default_rng(0).random(len(known.item)) < 0.8
    object.__setattr__(data, "train", train)
    targets = np.arange(0, len(known.item), 5)
    task = RankingTask.of_one_each(9, known.item[targets])
    asked = Queries({}, task, history=known.histories(data.log, targets))
    got = options.fit(data, asked).scores(0, len(targets))
    wanted = [naive(known, train, event, options) for event in targets]
    np.testing.assert_allclose(got, wanted, atol=1e-6)
