"""The one exception that is the user's to fix, and spelling help for its message."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Iterator


class UserError(Exception):
    """Bad input. The message names the place, the value and the fix.

    The command line prints the message alone and exits with status 2.
    """


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Ends a program with the message of a `UserError`, as the command line does."""
    try:
        yield
    except UserError as error:
        raise SystemExit(f"error: {error}") from None


def nearest(name: str, options: Iterable[str]) -> str:
    """Returns " Did you mean 'x' or 'y'?" for the closest options, else "".

    Args:
      name: what was asked for.
      options: the valid names.
    """
    options = dict.fromkeys(options)
    close = difflib.get_close_matches(name, options, n=3, cutoff=0.5)
    if not close:
        return ""
    return " Did you mean " + " or ".join(repr(c) for c in close) + "?"
