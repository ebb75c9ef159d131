"""One thread asks for what has come together, and nobody's answer is another's."""

import asyncio
import random
import time
from dataclasses import replace

import jax
import numpy as np
import pytest

from recjax.bundle.contract import Signature, Spec
from recjax.errors import UserError
from recjax.serve.http.batcher import Batcher, Work
from recjax.serve.http.limits import RefusedError, Room
from recjax.serve.http.models import load


class Doubles:
    """A signature that doubles numbers, and remembers what it was asked at once."""

    def __init__(self, seconds=0.0):
        self.seconds, self.asked = seconds, []
        spec = {"x": Spec("DT_FLOAT")}
        self.signature = Signature(
            spec, spec, lambda c: c, self.encode, self.call, lambda made, _: {"x": made}
        )

    def encode(self, columns, rows):
        if 13 in columns["x"]:
            raise UserError("thirteen")
        return {"x": np.array(columns["x"], np.float32)}

    def call(self, arrays):
        time.sleep(self.seconds)
        self.asked.append(len(arrays["x"]))
        return 2 * arrays["x"]


def work(signature, *values, sizes=(1, 4, 8), within=60.0):
    deadline = time.monotonic() + within
    return Work(signature, sizes, {"x": [*values]}, len(values), deadline)


def submit(batcher, work):
    """Hands a work over; returns the future of its answer."""
    loop = asyncio.get_running_loop()
    found = loop.create_future()
    batcher.submit(replace(work, done=found.set_result, loop=loop))
    return found


async def answers(batcher, *works):
    found = await asyncio.gather(*[submit(batcher, one) for one in works])
    return [e if isinstance(e, Exception) else [*e.columns["x"]] for e in found]


def run(scenario, **settings):
    async def whole():
        batcher = Batcher(**settings)
        try:
            return await scenario(batcher)
        finally:
            batcher.stop()

    return asyncio.run(whole())


def test_what_comes_while_it_works_is_asked_at_once():
    made, rows = Doubles(0.2), []

    async def scenario(batcher):
        works = [work(made.signature, 1), *(work(made.signature, n, n) for n in (2, 3))]
        first = asyncio.create_task(answers(batcher, works[0]))
        await asyncio.sleep(0.05)
        return await first + await answers(batcher, *works[1:])

    assert run(scenario, observe=lambda n, took: rows.append(n)) == [
        [2],
        [4, 4],
        [6, 6],
    ]
    assert made.asked == [1, 4] and rows == [1, 4]


def test_batches_are_no_larger_than_what_was_compiled():
    made = Doubles()

    async def scenario(batcher):
        works = [work(made.signature, n, n, n) for n in range(5)]
        return await answers(batcher, *works)

    assert run(scenario, wait_us=200_000) == [[2 * n] * 3 for n in range(5)]
    assert set(made.asked) <= {4, 8} and sum(made.asked) >= 15


def test_two_signatures_are_not_mixed():
    one, other = Doubles(), Doubles()

    async def scenario(batcher):
        both = [work(one.signature, 1), work(other.signature, 2)] * 1
        return await answers(batcher, *both, work(one.signature, 3))

    assert run(scenario, wait_us=100_000) == [[2], [4], [6]]
    assert one.asked == [4] and other.asked == [1]


def test_one_that_fails_leaves_the_others_their_answers():
    made = Doubles()

    async def scenario(batcher):
        works = [work(made.signature, n) for n in (1, 13, 3)]
        return await answers(batcher, *works)

    first, bad, last = run(scenario, wait_us=100_000)
    assert first == [2] and last == [6] and isinstance(bad, UserError)


def test_work_that_is_late_is_not_done():
    made = Doubles(0.1)

    async def scenario(batcher):
        works = [work(made.signature, 1), work(made.signature, 2, within=-1.0)]
        return await answers(batcher, *works)

    first, late = run(scenario, wait_us=50_000)
    assert first == [2] and made.asked == [1]
    assert isinstance(late, RefusedError) and late.status == 504


def test_all_that_waits_is_answered_before_it_stops():
    made = Doubles(0.05)

    async def scenario():
        batcher = Batcher()
        works = [work(made.signature, *[n] * 8) for n in range(4)]
        found = [submit(batcher, one) for one in works]
        await asyncio.to_thread(batcher.stop)
        await asyncio.sleep(0)
        return [one.done() for one in found]

    assert asyncio.run(scenario()) == [True] * 4


def test_room_is_counted_in_examples():
    room = Room(10)
    room.take(7)
    with pytest.raises(RefusedError, match="7 examples wait") as refused:
        room.take(4)
    assert refused.value.status == 429 and room.taken == 7 and not room.full
    room.leave(7)
    room.take(10)
    assert room.taken == 10 and room.full


def test_no_request_waits_for_a_compiler(bundles):
    """Whatever is asked of a loaded model, and whatever is asked for at once."""
    model, draw, compiled = load("films", 1, bundles / "films"), random.Random(0), []

    def heard(name, *_, **__):
        if "compile" in name:
            compiled.append(name)

    def one():
        name, rows = draw.choice([*model.signatures]), draw.choice([1, 2, 5, 17, 128])
        signature, rows = model.signatures[name], draw.randint(1, rows)
        columns = {n: list(v) * rows for n, v in signature.blank.items()}
        if "k" in columns:
            columns["k"] = [draw.randint(1, 40) for _ in range(rows)]
        until = time.monotonic() + 60
        return Work(signature, model.sizes, columns, rows, until)

    async def scenario(batcher):
        for _ in range(40):
            works = [one() for _ in range(draw.randint(1, 12))]
            asked = [submit(batcher, work) for work in works]
            for work, answer in zip(works, await asyncio.gather(*asked), strict=True):
                assert {len(v) for v in answer.columns.values()} == {work.rows}

    jax.monitoring.register_event_duration_secs_listener(heard)
    run(scenario)
    assert compiled == []
    jax.jit(lambda x: 3 * x + 7)(np.zeros(3))
    assert compiled, "a compilation is heard of"
