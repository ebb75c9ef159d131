"""Batch s is the same for any number of hosts, wherever a run resumes."""

from functools import partial

import numpy as np
import pytest
import small

from recjax.data.pipeline import order, rows_of, stream
from recjax.errors import UserError

SIZE = 16


@pytest.fixture(scope="module")
def dataset():
    return small.experiment().data.open(seed=5)


def take(dataset, start, count, host=(0, 1), threads=0):
    found = stream(partial(dataset.batch, host=host), start, threads, 2)
    return [flat(next(found)) for _ in range(count)]


def flat(batch, path=""):
    if not isinstance(batch, dict):
        return {path: batch}
    parts = [flat(value, f"{path}/{name}") for name, value in batch.items()]
    return {name: array for part in parts for name, array in part.items()}


def same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].dtype == other[name].dtype
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.mark.parametrize("hosts", [2, 4])
def test_hosts_together_make_the_batches_of_one(dataset, hosts):
    shares = [take(dataset, 0, 3, (host, hosts)) for host in range(hosts)]
    for step, whole in enumerate(take(dataset, 0, 3)):
        parts = [share[step] for share in shares]
        joined = {name: np.concatenate([p[name] for p in parts]) for name in whole}
        same(joined, whole)


# Step 14 is in the second epoch: 230 training events are 14.4 batches.
@pytest.mark.parametrize("start", [1, 7, 14, 30])
@pytest.mark.parametrize("host", [(0, 1), (1, 2)])
def test_a_resumed_run_gets_the_batches_it_would_have_got(dataset, start, host):
    whole = take(dataset, 0, start + 2, host)
    for one, other in zip(take(dataset, start, 2, host), whole[start:], strict=True):
        same(one, other)


def test_threads_change_nothing(dataset):
    for one, other in zip(
        take(dataset, 3, 3, threads=0), take(dataset, 3, 3, threads=3), strict=True
    ):
        same(one, other)


def test_batches_differ_by_step_and_seed(dataset):
    first, second = take(dataset, 0, 2)
    other = take(small.experiment().data.open(seed=6), 0, 1)[0]
    for name in ("/positive_id", "/negative_id"):
        assert (first[name] != second[name]).any()
        assert (first[name] != other[name]).any()


@pytest.mark.parametrize("examples", [1, 7, 100])
def test_an_epoch_meets_every_example_once(examples):
    rows = order(examples, 4, "order/0")
    seen = np.concatenate([rows(step) for step in range(examples)])
    epochs = seen.reshape(4, examples)
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(examples))
    if examples == 100:
        assert (epochs[0] != epochs[1]).any() and (np.diff(epochs[0]) != 1).any()


def test_what_cannot_be_split_or_is_not_there():
    with pytest.raises(UserError, match="no training examples"):
        order(0, 4, "order/0")
    with pytest.raises(UserError, match="batch size 5 is not divisible by 2 hosts"):
        rows_of((0, 2), 5)
