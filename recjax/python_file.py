"""A user's Python file: which files it is made of, and running it.

A file may import others beside it, as a script may; these are found by name in its
folder, whatever else is called so, and are forgotten again when it has run.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

from recjax.errors import UserError, nearest

NEVER_BESIDE = {*sys.stdlib_module_names, "recjax"}
"""What an experiment's own folder cannot replace."""


def files(path: Path) -> dict[str, Path]:
    """Returns a Python file and those beside it that it imports, at any depth.

    Args:
      path: the file.

    Returns:
      Path in its folder -> file, itself first; all files of a package that it imports.

    Raises:
      UserError: one of them cannot be read, or is no Python.
    """
    found, todo = {}, [path.name]
    while todo:
        name = todo.pop(0)
        if name not in found:
            found[name] = path.parent / name
            for module in _imported(found[name]):
                todo += _beside(path.parent, module)
    return found


@contextlib.contextmanager
def running(path: Path, kind: str) -> Iterator[ModuleType]:
    """Yields the module of a Python file, which can import what lies beside it.

    Args:
      path: the file.
      kind: folder that such files usually lie in, for example "experiments".

    Raises:
      UserError: there is no such file, or it fails while this goes on: with the line.
    """
    _check(path, kind)
    own = files(path)
    name = f"{kind}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with _importable(path, own), _blamed_on(path, own):
        sys.modules[name] = module
        spec.loader.exec_module(module)
        yield module


def _check(path: Path, kind: str) -> None:
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a Python file in it")
    if not path.is_file():
        beside = path.parent if path.parent.is_dir() else Path(kind)
        options = [str(p) for p in sorted(beside.glob("*.py"))]
        raise UserError(f"no such file: {path}.{nearest(str(path), options)}")
    if path.suffix != ".py":
        raise UserError(f"{path} is not a Python file")


def _imported(file: Path) -> Iterator[str]:
    """Yields what a file imports, up to the first dot."""
    try:
        tree = ast.parse(file.read_bytes(), file)
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise UserError(f"{file}{line}: {type(error).__name__}: {error}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def _beside(folder: Path, module: str) -> list[str]:
    """Returns the files of a module that lies in a folder, none where it does not."""
    if module in NEVER_BESIDE:
        return []
    if (folder / module / "__init__.py").is_file():
        inside = sorted((folder / module).rglob("*.py"))
        return [str(file.relative_to(folder)) for file in inside]
    return [f"{module}.py"] if (folder / f"{module}.py").is_file() else []


@contextlib.contextmanager
def _importable(path: Path, own: Mapping[str, Path]) -> Iterator[None]:
    """Lets what lies beside a file be imported, and no others of these names."""
    names = {Path(name).parts[0].removesuffix(".py") for name in own}
    if path.stem in sys.modules:
        # A file called like what it imports, jax.py for example, is not meant by that.
        names.remove(path.stem)

    def loaded() -> list[str]:
        return [name for name in sys.modules if name.split(".")[0] in names]

    place = str(path.parent.absolute())
    others = {name: sys.modules.pop(name) for name in loaded()}
    sys.path.insert(0, place)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(place)
        for name in loaded():
            del sys.modules[name]
        sys.modules.update(others)


@contextlib.contextmanager
def _blamed_on(path: Path, own: Mapping[str, Path]) -> Iterator[None]:
    """Tells a failure of the user's files as one: which line, and what is wrong."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        known = {str(file.resolve()): file for file in own.values()}
        frames = traceback.extract_tb(error.__traceback__)
        places = [
            f"{known[name]}, line {frame.lineno}"
            for frame in frames
            if (name := str(Path(frame.filename).resolve())) in known
        ]
        place = places[-1] if places else path
        raise UserError(f"{place}: {type(error).__name__}: {error}") from error
