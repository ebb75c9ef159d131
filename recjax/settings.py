"""Reading, overriding and writing the settings of a frozen tree.

A tree is made of dataclasses (Linen modules are dataclasses too), mappings and
tuples; a setting is a leaf, named by its path: `model.query.width`.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import flax.linen as nn

from recjax.errors import UserError, nearest

_LINEN_OWN = ("parent", "name")


def children(node: Any) -> dict[str, Any] | None:
    """Returns the named children of a node, or None where it is a leaf."""
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        hidden = _LINEN_OWN if isinstance(node, nn.Module) else ()
        names = [f.name for f in dataclasses.fields(node) if f.init]
        return {n: getattr(node, n) for n in names if n not in hidden}
    if isinstance(node, Mapping):
        return {str(key): value for key, value in node.items()}
    if isinstance(node, tuple) and any(children(v) is not None for v in node):
        return {str(i): value for i, value in enumerate(node)}
    return None


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields (path, value) of every setting."""
    below = children(node)
    if below is None:
        yield path, node
        return
    for name, value in below.items():
        yield from leaves(value, f"{path}.{name}" if path else name)


def to_text(node: Any) -> str:
    """Returns a tree as text, one setting a line, for golden files and run folders."""
    lines: list[str] = []

    def visit(node: Any, path: str) -> None:
        below = children(node)
        if below is None:
            lines.append(f"{path} = {node!r}")
            return
        if not isinstance(node, Mapping | tuple):
            lines.append(f"{path} : {type(node).__name__}")
        elif not below:
            lines.append(f"{path} = {{}}")
        for name, value in below.items():
            visit(value, f"{path}.{name}" if path else name)

    visit(node, "")
    return "\n".join(line.removeprefix(" : ") for line in lines) + "\n"


def changes(before: str, node: Any) -> tuple[list[str], list[str]]:
    """Returns the lines of an older text that a tree has not, and those new in it.

    A line in another place is both: the order of a tower's inputs is that of its
    weights. A setting that the text lacks and that has its default is no change: there
    was no such setting yet.
    """
    old, now = before.strip().splitlines(), to_text(node).splitlines()
    steps = difflib.SequenceMatcher(None, old, now, autojunk=False).get_opcodes()
    other = [step[1:] for step in steps if step[0] != "equal"]
    known = {path_of(line) for line in old}
    usual = tuple(_defaults(node))
    return [line for i, j, _, _ in other for line in old[i:j]], [
        line
        for _, _, i, j in other
        for line in now[i:j]
        if path_of(line) in known or not f"{path_of(line)}.".startswith(usual)
    ]


def differing(node: Any) -> str:
    """Returns the settings of a tree that are not their defaults, as `to_text` does."""
    usual = tuple(_defaults(node))
    lines = to_text(node).splitlines(keepends=True)
    return "".join(x for x in lines if not f"{path_of(x)}.".startswith(usual))


def path_of(line: str) -> str:
    """Returns which setting a line of `to_text` is of."""
    return re.split(r" [:=]", line)[0]


def _defaults(node: Any, path: str = "") -> Iterator[str]:
    """Yields the path of each field that has its default, with a dot behind it."""
    fields = dataclasses.fields(node) if dataclasses.is_dataclass(node) else ()
    made = {
        f.name: f.default_factory()
        for f in fields
        if f.default_factory is not dataclasses.MISSING
    }
    usual = {f.name: f.default for f in fields} | made
    for name, value in (children(node) or {}).items():
        if name in usual and usual[name] == value:
            yield f"{path}{name}."
        else:
            yield from _defaults(value, f"{path}{name}.")


def override(tree: Any, assignments: Sequence[str]) -> Any:
    """Returns a tree with settings replaced.

    Args:
      tree: the tree.
      assignments: "path=value" each, for example "model.query.width=128".

    Raises:
      UserError: not of that form, an unknown path, or a value of the wrong type.
    """
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals or not path:
            raise UserError(f"--set {assignment}: expected path=value")
        tree = _replace(tree, path.strip(), text, path, tree, Any)
    return tree


def replaced(tree: Any, path: str, value: Any) -> Any:
    """Returns a tree with one setting replaced by a value, not by its text.

    Raises:
      UserError: there is no such setting, or the value is of another kind.
    """
    if not isinstance(path, str) or not path:
        raise UserError(f'replace({path!r}): name a setting, as "model.query.width"')
    plain = isinstance(value, str | int | float | tuple | None)
    if plain and not isinstance(value, str):
        value = repr(value) if children(value) is None else value
    try:
        return _replace(tree, path.strip(), value, path, tree, Any)
    except UserError as error:
        raise UserError(str(error).replace("--set ", "replace ")) from None


def _replace(node: Any, rest: str, text: Any, path: str, root: Any, hint: Any) -> Any:
    if not rest:
        return _parse(text, node, hint, path) if isinstance(text, str) else text
    below = children(node) or {}
    # Patterns of optimizer rules hold dots, so a name may be several parts long.
    fits = [n for n in below if rest == n or rest.startswith(n + ".")]
    if not fits:
        done = path.removesuffix(rest)
        options = [p for p, _ in leaves(root)] + [done + n for n in below]
        raise UserError(
            f"--set {path}: there is no setting {path!r}.{nearest(path, options)}"
            " (`recjax show` lists all)"
        )
    name = max(fits, key=len)
    rest = rest[len(name) + 1 :]
    new = _replace(below[name], rest, text, path, root, _hint(node, name))
    if isinstance(node, nn.Module):
        return node.clone(**{name: new})
    if dataclasses.is_dataclass(node):
        try:
            return dataclasses.replace(node, **{name: new})
        except ValueError as error:
            raise UserError(f"--set {path}={text}: {error}") from error
    if isinstance(node, tuple):
        return (*node[: int(name)], new, *node[int(name) + 1 :])
    return {key: new if str(key) == name else value for key, value in node.items()}


def _hint(node: Any, name: str) -> Any:
    if not dataclasses.is_dataclass(node):
        return Any
    try:
        return typing.get_type_hints(type(node)).get(name, Any)
    except NameError:
        return Any


def _parse(text: str, old: Any, hint: Any, path: str) -> Any:
    classes = {c.__name__: c for c in _options(hint) if dataclasses.is_dataclass(c)}
    made = _called(text, classes, path)
    if made is not None:
        return made
    if children(old) is not None:
        if text == "None" and _allows(hint, type(None)):
            return None
        if text == "()" and isinstance(old, tuple):
            with suppress(TypeError):  # Of a tuple of so many.
                return _fitting((), hint)
        others = f"; or take one of {', '.join(classes)}" if len(classes) > 1 else ""
        raise UserError(
            f"--set {path}: this is a {type(old).__name__}, set one of its parts: "
            + ", ".join(children(old) or ())
            + others
        )
    if hint is Any and old is not None:
        hint = type(old)
        if hint is tuple:
            hint = types.GenericAlias(tuple, (type(old[0]) if old else Any, ...))
    if _allows(hint, str) and not (_allows(hint, type(None)) and text == "None"):
        return text
    try:
        value = {"true": True, "false": False}.get(text.lower(), ...)
        value = ast.literal_eval(text) if value is ... else value
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = text
    try:
        return _fitting(value, hint)
    except TypeError:
        wanted = _wanted(hint)
        raise UserError(
            f"--set {path}={text}: expected {wanted}, now {old!r}"
        ) from None


def _called(text: str, classes: Mapping[str, Any], path: str) -> Any:
    """Returns what `Name(…)` makes of literals; None where the text is no such call.

    Raises:
      UserError: the class does not take them.
    """
    if text.partition("(")[0].strip() not in classes:
        return None
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            raise ValueError("expected Name(values)")
        values = [ast.literal_eval(value) for value in call.args]
        named = {k.arg or "": ast.literal_eval(k.value) for k in call.keywords}
        return classes[call.func.id](*values, **named)
    except (SyntaxError, TypeError, ValueError) as error:
        raise UserError(f"--set {path}={text}: {error}") from error


def _options(hint: Any) -> tuple[Any, ...]:
    """Returns the parts of a union; other hints alone."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return typing.get_args(hint)
    return (hint,)


def _allows(hint: Any, kind: type) -> bool:
    return kind in _options(hint)


def _fitting(value: Any, hint: Any) -> Any:
    """Returns a value as the hint wants it: whole numbers serve as real ones.

    Raises:
      TypeError: it does not fit.
    """
    for option in _options(hint):
        origin, args = typing.get_origin(option), typing.get_args(option)
        if option is Any or (isinstance(option, type) and type(value) is option):
            return value
        if option is float and type(value) is int:
            return float(value)
        if origin is typing.Literal and value in args:
            return value
        if origin is tuple and type(value) is tuple:
            if args[-1] is ...:
                args = args[:1] * len(value)
            if len(args) == len(value):
                pairs = zip(value, args, strict=True)
                with contextlib.suppress(TypeError):
                    return tuple(_fitting(one, arg) for one, arg in pairs)
    raise TypeError


def _wanted(hint: Any) -> str:
    """Returns a hint as a person writes it."""
    names = []
    for option in _options(hint):
        origin, args = typing.get_origin(option), typing.get_args(option)
        if origin is typing.Literal:
            names += [repr(arg) for arg in args]
        elif origin is tuple and args[-1] is ...:
            names.append(f"a tuple like ({_wanted(args[0])}, ...)")
        elif origin is tuple:
            names.append(f"a tuple ({', '.join(map(_wanted, args))})")
        elif option is type(None):
            names.append("None")
        else:
            names.append(getattr(option, "__name__", str(option)))
    return " or ".join(names)
