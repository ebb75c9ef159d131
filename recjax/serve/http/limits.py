"""What a server takes of a request, and of all of them at once."""

from __future__ import annotations

from dataclasses import dataclass

from recjax.errors import UserError


@dataclass(frozen=True)
class Limits:
    """Bounds, so that nobody can take the whole server.

    Attributes:
      queue: examples that wait or are answered at a time; more are refused (429).
      deadline_ms: time for an answer; work that waits longer is dropped (504).
      examples: most examples of a request.
      body_bytes: most bytes of a request's body.
      characters: of a text; what stands behind is cut off before it is read.
      read_s: seconds in which a request must have come whole, headers and body.
      keep_alive_s: seconds that a connection may be idle between requests.
      connections: open at a time; more are refused (503).
      drain_s: seconds for what is under way when the server is told to end.
      cache_mb: megabytes of answers that a worker keeps; 0 keeps none.
      cache_s: seconds that it keeps one.
    """

    queue: int = 512
    deadline_ms: int = 1_000
    examples: int = 128
    body_bytes: int = 2**20
    characters: int = 4_096
    read_s: float = 10.0
    keep_alive_s: int = 75
    connections: int = 900
    drain_s: int = 20
    cache_mb: int = 64
    cache_s: float = 300.0

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
          UserError: one is not positive.
        """
        for name, value in vars(self).items():
            if not value > 0 and (name, value) != ("cache_mb", 0):
                raise UserError(f"{name} = {value}: must be positive")


class RefusedError(Exception):
    """A request that is not answered: status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Room:
    """Counts the examples that were taken and not answered yet.

    Attributes:
      most: examples at a time.
      taken: of them.
    """

    def __init__(self, most: int) -> None:
        self.most, self.taken = most, 0

    @property
    def full(self) -> bool:
        """Whether not even one example is taken."""
        return self.taken >= self.most

    def take(self, examples: int) -> None:
        """Takes examples; who does gives them back by `leave`.

        Raises:
          RefusedError: there is no room for them (429).
        """
        if self.taken + examples > self.most:
            raise RefusedError(429, self.told())
        self.taken += examples

    def leave(self, examples: int) -> None:
        """Gives back what was taken."""
        self.taken -= examples

    def told(self) -> str:
        """Returns what is said where there is no room."""
        return f"the server is full: {self.taken} examples wait; try again soon"
