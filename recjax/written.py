"""A tree of settings as Python that builds it: what a person reads, and a file runs.

What has its default is left out, so that the text tells what was chosen.
"""

from __future__ import annotations

import dataclasses
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recjax import lazy, settings
from recjax.errors import UserError

WIDTH = 88


def expression(tree: Any, indent: int = 0, strict: bool = False) -> str:
    """Returns the Python expression that builds a tree, over `import recjax as rj`.

    Args:
      tree: dataclasses, Linen modules, mappings, tuples and plain values.
      indent: columns that its lines after the first begin at.
      strict: refuse what another process could not import or read; else shown as it
        shows itself.

    Raises:
      UserError: `strict`, and a part is such.
    """
    return _Writer(strict).text(tree, indent, 0, "")


def file(tree: Any, name: str, about: str) -> str:
    """Returns a Python file with a function that returns a tree.

    Args:
      tree: see `expression`.
      name: of the function.
      about: docstring of the file.

    Raises:
      UserError: a part of it cannot be written: which, and what to do.
    """
    writer = _Writer(strict=True)
    body = writer.text(tree, 4, len("return "), name)
    modules = sorted(writer.modules - {"recjax"})
    head = "\n".join([*(f"import {one}" for one in modules), "import recjax as rj"])
    kind = writer.named(type(tree))
    text = (
        f'"""{about.strip()}"""\n\n{head}\n\n\ndef {name}() -> {kind}:\n'
        f"    return {body}\n"
    )
    made: dict[str, Any] = {}
    exec(compile(text, f"{name}.py", "exec"), made)
    if settings.to_text(made[name]()) != settings.to_text(tree):
        raise UserError(
            f"the {name} is not what its parts say, so no file can build it: write "
            f"the file yourself, with a function {name}()"
        )
    return text


class _Writer:
    def __init__(self, strict: bool) -> None:
        self.strict, self.modules = strict, set[str]()
        self._public = lazy.public_names()

    def text(self, node: Any, indent: int, used: int, path: str) -> str:
        """Returns a node, which begins `used` columns behind the indent of its line."""
        made = self._parts(node, path)
        if made is None:
            return self._leaf(node, path)
        left, parts, right = made
        once = [lead + self.text(one, 0, 0, at) for lead, one, at in parts]
        flat = f"{left}{', '.join(once)}{right}"
        if isinstance(node, tuple) and len(node) == 1:
            flat = f"{flat[:-1]},)"
        if not parts or ("\n" not in flat and indent + used + len(flat) < WIDTH):
            return flat
        pad, inner = " " * (indent + 4), ", ".join(once)
        if "\n" not in inner and indent + 4 + len(inner) <= WIDTH and len(parts) > 1:
            return f"{left}\n{pad}{inner}\n{' ' * indent}{right}"
        lines = [
            f"{pad}{lead}{self.text(one, indent + 4, len(lead), at)},"
            for lead, one, at in parts
        ]
        return "\n".join([left, *lines, " " * indent + right])

    def _parts(self, node: Any, path: str) -> tuple[str, list, str] | None:
        """Returns what stands before and behind the parts of a node, and these."""
        if isinstance(node, Mapping):
            parts = [(f"{k!r}: ", v, f"{path}.{k}") for k, v in node.items()]
            return "{", [*map(_quoted, parts)], "}"
        if isinstance(node, tuple | list):
            parts = [("", v, f"{path}.{i}") for i, v in enumerate(node)]
            return ("(", parts, ")") if isinstance(node, tuple) else ("[", parts, "]")
        if dataclasses.is_dataclass(node) and not isinstance(node, type):
            parts = [(lead, v, f"{path}.{n}") for lead, n, v in _arguments(node)]
            return f"{self.named(type(node), path)}(", parts, ")"
        return None

    def _leaf(self, node: Any, path: str) -> str:
        if isinstance(node, str):
            return _text(node)
        if isinstance(node, np.generic):
            node = node.item()
        if node is None or isinstance(node, bool | int | bytes):
            return repr(node)
        if isinstance(node, float):
            return repr(node) if np.isfinite(node) else f'float("{node}")'
        if isinstance(node, type | types.FunctionType):
            return self.named(node, path)
        if isinstance(node, Path):
            self.modules.add("pathlib")
            return f"pathlib.Path({str(node)!r})"
        if self.strict:
            raise UserError(
                f"{path}: a {type(node).__name__} cannot be written to a file; build "
                "it in a dataclass of settings, in a file of its own"
            )
        return repr(node)

    def named(self, thing: type | Callable, path: str = "") -> str:
        """Returns what to call a class or a function, its module imported.

        Raises:
          UserError: another process cannot import it.
        """
        module, name = thing.__module__, thing.__qualname__
        if (module, name) in self._public:
            return f"rj.{self._public[module, name]}"
        if module == "builtins":
            return name
        if self.strict and ("<" in name or not _installed(module)):
            where = "this notebook or script" if module == "__main__" else module
            raise UserError(
                f"{path}: {name} is defined in {where}, which a run folder cannot "
                f"import: put it into an experiment file, or a file beside one"
            )
        self.modules.add(module)
        return f"{module}.{name}" if self.strict else name


def _arguments(node: Any) -> Iterator[tuple[str, str, Any]]:
    """Yields ("" or "name=", name, value) of what differs from its default."""
    values, kinds = settings.children(node) or {}, dataclasses.fields(node)
    known = {one.name: one for one in kinds}
    for number, (name, value) in enumerate(values.items()):
        one = known[name]
        usual = one.default
        if one.default_factory is not dataclasses.MISSING:
            usual = one.default_factory()
        needed = usual is dataclasses.MISSING
        if not needed and _same(value, usual):
            continue
        short = needed and not number and isinstance(value, str | int | float | Mapping)
        yield "" if short and len(values) < 30 else f"{name}=", name, value


def _same(value: Any, usual: Any) -> bool:
    return type(value) is type(usual) and settings.to_text(value) == settings.to_text(
        usual
    )


def _quoted(part: tuple[str, Any, str]) -> tuple[str, Any, str]:
    key, value, path = part
    return f"{_text(key[1:-3])}: " if key[0] == "'" else key, value, path


def _text(value: str) -> str:
    """Returns a string as ruff quotes it."""
    told = repr(value)
    return f'"{told[1:-1]}"' if told[0] == "'" and '"' not in value else told


def _installed(module: str) -> bool:
    top = module.split(".")[0]
    if top == "recjax" or top in sys.stdlib_module_names:
        return top != "__main__"
    place = getattr(sys.modules.get(top), "__file__", None) or ""
    return "site-packages" in Path(place).parts
