"""Windowed attention against a loop over each user's events, with whole matrices."""

import numpy as np
import pytest
import sessions as support

from recjax.data.sessions.packing import Packed, make_plan
from recjax.data.sessions.runs import Runs
from recjax.nn.attention import FlatAttention

WINDOW, SIZE, HEADS = 3, 4, 2


def norm(x, about):
    x = x - x.mean(-1, keepdims=True)
    x = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6)
    return x * about["scale"] + about["bias"]


def dense(x, about):
    return x @ about["kernel"] + about["bias"]


def silu(x):
    return x / (1 + np.exp(-x))


def layer(x, minutes, about, block):
    """One layer over all events of one user [L, D]."""
    made = dense(norm(x, about["norm"]), about["attend"])
    made = silu(made) if block == "hstu" else made
    query, key, value = (made[:, i * SIZE : (i + 1) * SIZE] for i in range(3))
    out, half = np.zeros_like(x), SIZE // HEADS
    for at in range(len(x)):
        seen = range(max(0, at - WINDOW + 1), at + 1)
        for head in range(HEADS):
            part = slice(head * half, (head + 1) * half)
            logits = []
            for other in seen:
                logit = query[at, part] @ key[other, part] / np.sqrt(half)
                logit += about["bias"]["near"][at - other, head]
                if "lately" in about["bias"]:
                    bucket = int(np.log2(1 + minutes[at] - minutes[other]))
                    logit += about["bias"]["lately"][bucket, head]
                logits.append(logit)
            logits = np.array(logits)
            weights = np.exp(logits - logits.max())
            weights = weights / weights.sum()
            if block == "hstu":
                weights = silu(logits) / WINDOW
            out[at, part] = weights @ value[list(seen), part]
    if block == "hstu":
        gate = made[:, 3 * SIZE :]
        return x + dense(norm(out, about["found_norm"]) * gate, about["out"])

    def add(x, new, name):
        gated = about.get(name)
        return x + (new / (1 + np.exp(-dense(x, gated))) if gated else new)

    x = add(x, dense(out, about["out"]), "gate_attend")
    y = dense(norm(x, about["deep_norm"]), about["deep_in"])
    if block == "gated":
        y = silu(y[:, : y.shape[1] // 2]) * y[:, y.shape[1] // 2 :]
    else:
        y = np.maximum(y, 0)
    return add(x, dense(y, about["deep_out"]), "gate_deep")


@pytest.mark.parametrize(
    ("block", "times"), [("sasrec", False), ("gated", True), ("hstu", True)]
)
def test_a_loop_over_each_user_finds_the_same(block, times):
    data = support.opened(support.sessions(6, users=3))
    encoder = FlatAttention(
        support.WIDTH, SIZE, 2, HEADS, WINDOW, block, times, feed_forward=2
    )
    params, table = support.started(encoder, data)
    known = data.sessions
    users = Runs(known.user_start[:-1], np.diff(known.user_start))
    plan = make_plan(Packed(1, 60, 20), known.session_start, users)
    got = support.streamed(encoder, params, table, data, plan)
    about = params["params"]
    start = known.session_start
    for user in range(known.users):
        sessions = range(*known.user_start[user : user + 2])
        events = np.arange(start[sessions[0]], start[sessions[-1] + 1])
        # A session is as old as the gaps between the last and first events say.
        minutes, clock = [], 0.0
        for session in sessions:
            if session > sessions[0]:
                last, first = start[session] - 1, start[session]
                clock += known.timestamp[first] - known.timestamp[last]
            minutes += [clock / 60] * (start[session + 1] - start[session])
        items = np.asarray(table)[known.item[events] + 1]
        shifted = np.concatenate([np.zeros_like(items[:1]), items[:-1]])
        first = (known.position[events] == 0)[:, None]
        x = dense(np.concatenate([shifted, first], 1), about["join"])
        for number in range(2):
            x = layer(x, minutes, about[f"layer_{number}"], block)
        wanted = dense(norm(x, about["norm"]), about["out"])
        np.testing.assert_allclose(got[events], wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"size": 7}, "2 heads do not divide size 7"),
        ({"block": "hstuu"}, "block 'hstuu': take one of .*'hstu'"),
        ({"window": 0}, "window 0: an event sees itself"),
    ],
)
def test_settings_without_a_meaning(changes, said):
    data = support.opened(support.sessions(6, users=3))
    with pytest.raises(ValueError, match=said):
        support.started(FlatAttention(support.WIDTH, **changes), data)
