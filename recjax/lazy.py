"""Names of a package that are imported when they are first asked for.

    if TYPE_CHECKING:
        from recjax.nn.tower import Tower
    __getattr__, __dir__ = lazy.names(__name__, __file__)

What stands under `TYPE_CHECKING` is read, never run: a type checker and `names` see the
same list.
"""

from __future__ import annotations

import ast
import functools
import importlib
from collections.abc import Callable
from typing import Any


def names(
    package: str, file: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Returns `__getattr__` and `__dir__` of a package.

    Args:
      package: its `__name__`.
      file: its `__file__`.
    """

    def get(name: str) -> Any:
        known = {} if name.startswith("__") else places(file)
        if name not in known:
            raise AttributeError(
                f"module {package!r} has no attribute {name!r}", name=name
            )
        module, there = known[name]
        if module == package:
            return importlib.import_module(f"{package}.{there}")
        return getattr(importlib.import_module(module), there)

    return get, lambda: sorted(places(file))


@functools.cache
def places(file: str) -> dict[str, tuple[str, str]]:
    """Returns name here -> module and name there, of a package's `__init__.py`."""
    with open(file, encoding="utf-8") as text:
        body = ast.parse(text.read()).body
    block = next(node for node in body if isinstance(node, ast.If))
    return {
        alias.asname or alias.name: (line.module or "", alias.name)
        for line in block.body
        if isinstance(line, ast.ImportFrom)
        for alias in line.names
    }
