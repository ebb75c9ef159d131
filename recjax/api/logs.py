"""What a long call tells in the meantime, where nobody has set up logging."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator

from recjax.api import spelling


class _Out(logging.Handler):
    """Writes to what is standard output now: a notebook changes it for each cell."""

    def emit(self, record: logging.LogRecord) -> None:
        told = spelling.in_python(self.format(record))
        print(told, file=sys.stdout, flush=True)


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Shows recjax's messages until the end, unless logging shows them already."""
    logger = logging.getLogger("recjax")
    if logger.isEnabledFor(logging.INFO):
        yield
        return
    handler, level, propagate = _Out(), logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    # Packages that set up the root logger show warnings alone, and would twice.
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
