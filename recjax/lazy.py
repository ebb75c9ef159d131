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
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
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

    sys.modules[package].__class__ = _Face
    return get, lambda: sorted(places(file))


class _Face(ModuleType):
    """A package that keeps its names apart from modules of the same names.

    Importing `recjax.prepare.make` would make the package what `rj.prepare` is.
    """

    def __setattr__(self, name: str, value: object) -> None:
        known = places(str(self.__file__)).get(name, (self.__name__, ""))
        if known[0] == self.__name__ or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


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


@functools.cache
def public_names() -> dict[tuple[str, str], str]:
    """Returns (module, name there) -> name below `rj`, as "nn.Tower"."""
    here, found = Path(__file__).parent, {}
    for name, (module, there) in places(str(here / "__init__.py")).items():
        if module != "recjax":
            found[module, there] = name
            continue
        for own, place in places(str(here / name / "__init__.py")).items():
            found[place] = f"{name}.{own}"
    return found
