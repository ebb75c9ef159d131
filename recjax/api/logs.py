"""What a long call tells in the meantime, where nobody has set up logging."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator


class _Out(logging.Handler):
    """Writes to what is standard output now: a notebook changes it for each cell."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stdout, flush=True)


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Shows recjax's messages until the end, unless a logger shows them already."""
    logger = logging.getLogger("recjax")
    if logger.hasHandlers():
        yield
        return
    handler, level = _Out(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
