"""Uvicorn's server, which takes many new connections in a round of its loop."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn

AT_ONCE = 64
"""Most connections that are taken in a round beside libuv's one."""


class Server(uvicorn.Server):
    """Takes connections while all others ask.

    libuv takes one connection a round of the loop (libuv#3696). Where a round has
    hundreds of requests, as after the death of another worker, whose clients all come
    anew, those at the door would wait for a minute.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        """Does not listen yet."""
        super().__init__(config)
        self._doors: list[socket.socket] = []
        self._made: set[asyncio.Task[Any]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens."""
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        # A descriptor has one reader in the loop: another of the same socket.
        self._doors = [one.dup() for one in sockets or ()]
        for door in self._doors:
            door.setblocking(False)
            loop.add_reader(door, self._take, door)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Closes the door first."""
        for door in self._doors:
            asyncio.get_running_loop().remove_reader(door)
            door.close()
        await super().shutdown(sockets)

    def _take(self, door: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(AT_ONCE):
            try:
                taken = door.accept()[0]
            except OSError:  # None is left, or libuv's own try says what is wrong.
                return
            taken.setblocking(False)
            made = loop.create_task(loop.connect_accepted_socket(self._protocol, taken))
            # The loop alone holds a task weakly.
            self._made.add(made)
            made.add_done_callback(self._forget)

    def _forget(self, made: asyncio.Task[Any]) -> None:
        self._made.discard(made)
        if not made.cancelled():
            made.exception()  # One that has gone already is not worth a word.

    def _protocol(self) -> asyncio.Protocol:
        kind: Any = self.config.http_protocol_class
        state = self.lifespan.state
        return kind(config=self.config, server_state=self.server_state, app_state=state)
