"""Imports go one way. Needs Python alone: `python tests/test_layers.py` runs it too."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("recjax", "experiments", "configs", "tools", "tests")
LINES = 300

ORDER = (
    ("errors", "typing", "paths", "blocks", "seconds", "lazy"),
    ("extras", "fetch", "pytree", "rng", "features", "outputs", "disk", "settings")
    + ("python_file", "jobs", "shown", "execution"),
    ("text", "images", "metrics", "sharding", "launch", "written"),
    ("tables", "index", "nn", "losses", "optim"),
    ("models", "data"),
    ("pretrained", "prepare", "testing"),
    ("rehearse",),
    ("experiment",),
    ("train",),
    ("evals",),
    ("bundle",),
    ("serve",),
    ("users", "runs", "doctor"),
    ("export",),
    ("sweep", "templates", "api"),
    ("cli",),
    ("__main__",),
)
"""What stands in a row may import the rows above it, and itself."""

APART = (("nn", "models"), ("losses", "metrics", "optim", "data"))
"""These two groups do not know each other, whatever their rows."""

LARGEST = 0.2
"""No part of recjax holds more of its lines."""

IN_FUNCTIONS = (
    *("tensorflow", "scann", "tensorboardX", "tensorboard", "apache_beam"),
    *("tokenizers", "safetensors", "threadpoolctl", "onnx"),
)
"""Packages that only those need who use them."""
WITH_EXTRAS = ("recjax.users.kernels", "recjax.serve.http")
"""Imported by those alone who have numba, or a web server."""
TENSORFLOW = ("tensorflow", "scann")
TENSORFLOW_IN = ("extras", "index", "bundle")
NOT_OURS = ("experiments", "configs", "tests", "tools", "small", "conftest")


def modules() -> dict[str, ast.Module]:
    """Returns module name -> syntax tree of everything in recjax."""
    found = {}
    for path in sorted((ROOT / "recjax").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(), str(path))
    return found


MODULES = modules()


def imports(name: str, top: bool = False) -> Iterator[str]:
    """Yields what a module imports, by full name.

    Args:
      name: the module.
      top: only what runs when the module is imported; neither what stands in
        functions nor what type checkers alone see.
    """
    tree = MODULES[name]
    for node in _running(tree) if top else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name}, line {node.lineno}: import by full name"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner != "recjax.__version__":
                    yield inner if inner in MODULES else node.module


def _running(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _running(child)


def first(name: str) -> str:
    """Returns the package that a dotted name starts with."""
    return name.split(".")[0]


def part(name: str) -> str:
    """Returns the part of recjax that a module belongs to: "recjax.data.x" -> "data".

    That of recjax itself is "".
    """
    return (name.split(".") + [""])[1]


def row(name: str) -> int:
    """Returns the row of `ORDER` that a part of recjax stands in."""
    return next(i for i, parts in enumerate(ORDER) if name in parts)


def needed(name: str) -> set[str]:
    """Returns all that is loaded, at any depth, when a module is imported."""
    seen, todo = set(), [name]
    while todo:
        now = todo.pop()
        if now in seen:
            continue
        seen.add(now)
        if now in MODULES:
            parents = now.split(".")[:-1]
            todo += [".".join(parents[: i + 1]) for i in range(len(parents))]
            todo += imports(now, top=True)
    return seen


def test_every_part_has_a_row():
    listed = [name for parts in ORDER for name in parts]
    assert len(listed) == len(set(listed))
    assert {part(name) for name in MODULES} - {""} == set(listed)


def test_imports_go_one_way():
    wrong = [
        f"{name} imports {other}"
        for name in MODULES
        if part(name)
        for other in imports(name)
        if first(other) == "recjax"
        and part(other) != part(name)
        and (not part(other) or row(part(other)) >= row(part(name)))
    ]
    assert not wrong, "\n".join(wrong)


def test_models_and_losses_do_not_know_each_other():
    wrong = [
        f"{name} imports {other}"
        for here, there in (APART, APART[::-1])
        for name in MODULES
        if part(name) in here
        for other in imports(name)
        if first(other) == "recjax" and part(other) in there
    ]
    assert not wrong, "\n".join(wrong)


def test_imports_inside_a_part_make_no_circle():
    graph = {name: set(imports(name)) & set(MODULES) for name in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None


def test_no_part_is_too_large():
    lines: dict[str, int] = {}
    for path in (ROOT / "recjax").rglob("*.py"):
        name = path.relative_to(ROOT / "recjax").parts[0]
        lines[name] = lines.get(name, 0) + len(path.read_text().splitlines())
    largest = max(lines, key=lines.get)
    share = lines[largest] / sum(lines.values())
    assert share <= LARGEST, f"{largest} holds {share:.1%} of recjax"


def test_the_package_itself_imports_next_to_nothing():
    known = {"recjax.lazy", *sys.stdlib_module_names}
    assert {*imports("recjax", top=True)} <= known


def test_nothing_imports_experiments_configs_tests_or_tools():
    wrong = [
        f"{name} imports {other}"
        for name in MODULES
        for other in imports(name)
        if first(other) in NOT_OURS
    ]
    assert not wrong, "\n".join(wrong)


def test_heavy_packages_are_imported_in_functions():
    wrong = [
        f"{name} imports {other} on import"
        for name in MODULES
        for other in imports(name, top=True)
        if first(other) in IN_FUNCTIONS
    ]
    assert not wrong, "\n".join(wrong)


def test_what_is_imported_is_a_dependency():
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[^\w-]", name)[0] for name in wanted["dependencies"]}
    known = {name.replace("-", "_") for name in names} | {"orbax", "recjax"}
    wrong = [
        f"{name} imports {other} on import"
        for name in MODULES
        if not name.startswith(WITH_EXTRAS)
        for other in imports(name, top=True)
        if first(other) not in known | sys.stdlib_module_names
    ]
    assert not wrong, "\n".join(wrong)


def test_tensorflow_is_for_bundles_alone():
    wrong = [
        f"{name} imports {other}"
        for name in MODULES
        for other in imports(name)
        if first(other) in TENSORFLOW and part(name) not in TENSORFLOW_IN
    ]
    assert not wrong, "\n".join(wrong)


def test_users_need_no_jax():
    for name in MODULES:
        if part(name) == "users":
            heavy = {first(other) for other in needed(name)} & {"jax", "flax", "optax"}
            assert not heavy, f"{name} needs {heavy}"


def test_configs_know_no_models_and_experiments_no_devices():
    for folder, banned in (("configs", "models"), ("experiments", "sharding")):
        for path in sorted((ROOT / folder).glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom):
                    assert part(node.module) != banned, f"{path} imports {node.module}"


def test_files_are_short():
    long = [
        f"{path.relative_to(ROOT)}: {count} lines"
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        if (count := len(path.read_text().splitlines())) > LINES
    ]
    assert not long, "\n".join(long)


if __name__ == "__main__":
    for check in [v for k, v in list(globals().items()) if k.startswith("test_")]:
        check()
    sys.exit(0)
