"""Many at the door at once are let in at once, and one too many is told so."""

import asyncio
import contextlib
import socket

import pytest
import serving
import uvicorn
import uvloop

from recjax.serve.http.listen import Server

MANY = 300


async def nothing(scope, receive, send):
    """Is asked nothing."""


async def rounds_to_let_in(server):
    """Returns the rounds of the loop until all who are at the door are let in."""
    with contextlib.ExitStack() as stack:
        door = stack.enter_context(socket.socket())
        door.bind(("127.0.0.1", 0))
        await server.startup([door])
        for _ in range(MANY):
            stack.enter_context(socket.create_connection(door.getsockname()))
        rounds = 0
        while len(server.server_state.connections) < MANY and rounds < 4 * MANY:
            await asyncio.sleep(0)
            rounds += 1
        for one in [*server.server_state.connections]:
            one.transport.close()
        await server.shutdown([door])
        with pytest.raises(OSError):
            socket.create_connection(door.getsockname(), timeout=1)
    return rounds


def let_in(kind):
    config = uvicorn.Config(nothing, http="httptools", lifespan="off")
    config.load()
    server = kind(config)
    server.lifespan = config.lifespan_class(config)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(rounds_to_let_in(server))


def test_all_at_the_door_are_let_in_within_few_rounds():
    assert let_in(Server) < 30
    # Where this fails, libuv takes many again, and `Server` can go.
    assert let_in(uvicorn.Server) > MANY / 2


def test_a_connection_too_many_is_told_so(bundles):
    with serving.Server(bundles / "films", "--connections", "2") as server:
        place = "127.0.0.1", server.port
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(socket.create_connection(place, timeout=9))
            asking = stack.enter_context(socket.create_connection(place, timeout=9))
            asking.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            said = asking.recv(4_096)
            assert said.startswith(b"HTTP/1.1 503") and b"too many connections" in said
            silent = stack.enter_context(socket.create_connection(place, timeout=9))
            assert silent.recv(4_096).startswith(b"HTTP/1.1 503")
