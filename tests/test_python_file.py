"""A user's Python file and what it imports beside it."""

import sys
import types

import pytest

from recjax.errors import UserError
from recjax.python_file import files, running


def write(folder, **texts):
    """Writes files, `a__b` as a/b.py, and returns the one called main."""
    for name, text in texts.items():
        path = folder.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "main.py"


def value(path):
    with running(path, "experiments") as module:
        return module.value()


NEIGHBOURS = {
    "main": "import json\nfrom one import X\n\n\ndef value():\n"
    "    from lib.deep import Y\n    return X + Y\n",
    "one": "import two\nX = two.X + 1\n",
    "two": "X = 10\n",
    "other": "1 / 0\n",
    "lib__init": "",
    "lib__deep": "from lib import side\nY = side.Z\n",
    "lib__side": "from . import far\nZ = far.FAR\n",
    "lib__far": "FAR = 100\n",
}


@pytest.fixture
def main(tmp_path):
    path = write(tmp_path / "a", **NEIGHBOURS)
    (tmp_path / "a" / "lib" / "init.py").rename(tmp_path / "a" / "lib" / "__init__.py")
    return path


def test_what_lies_beside_it_can_be_imported_and_is_listed(main):
    before = list(sys.path)
    assert value(main) == 111
    assert sys.path == before
    assert not {"one", "two", "lib", "lib.deep"} & set(sys.modules)
    found = files(main)
    names = ["__init__", "deep", "far", "side"]
    wanted = ["main.py", "one.py", "two.py", *(f"lib/{name}.py" for name in names)]
    assert next(iter(found)) == "main.py" and sorted(found) == sorted(wanted)
    assert all(file == main.parent / name for name, file in found.items())


def test_two_folders_with_the_same_names_do_not_mix(main, tmp_path):
    other = write(
        tmp_path / "b",
        main="from one import X\n\n\ndef value():\n    return X\n",
        one="X = -5\n",
    )
    assert [value(path) for path in (main, other, main)] == [111, -5, 111]
    (tmp_path / "b" / "one.py").write_text("X = -500\n")
    assert value(other) == -500


def test_what_the_program_has_of_that_name_comes_back(main, monkeypatch):
    own = types.ModuleType("one")
    monkeypatch.setitem(sys.modules, "one", own)
    assert value(main) == 111
    assert sys.modules["one"] is own


def test_a_folder_cannot_replace_python_or_recjax(tmp_path):
    path = write(
        tmp_path,
        main="import json\nimport recjax\n\n\ndef value():\n"
        "    return json.loads('3'), recjax.__version__\n",
        json="1 / 0\n",
        recjax="1 / 0\n",
    )
    assert value(path)[0] == 3
    assert list(files(path)) == ["main.py"]


def test_files_may_import_each_other(tmp_path):
    path = write(
        tmp_path,
        main="X = 1\nimport one\n\n\ndef value():\n    return one.Y\n",
        one="import main\nY = main.X + 1\n",
    )
    assert value(path) == 2
    assert list(files(path)) == ["main.py", "one.py"]
    assert not {"main", "one"} & set(sys.modules)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"two": "\n\nX = 1 / 0\n"}, "two.py, line 3: ZeroDivisionError"),
        ({"two": "X = 3\ndef f(:\n"}, "two.py, line 2: SyntaxError"),
        ({"two": "import nowhere\n"}, "two.py, line 1: ModuleNotFoundError"),
        ({"two": "Y = 1\n"}, "one.py, line 2: AttributeError"),
        ({"one": "Y = 1\n"}, "main.py, line 2: ImportError"),
        ({"lib__far": "\n\n\nFAR = a\n"}, "lib/far.py, line 4: NameError"),
    ],
)
def test_a_failure_names_the_file_and_the_line(main, changed, words):
    write(main.parent, **changed)
    before, path = set(sys.modules), list(sys.path)
    with pytest.raises(UserError) as error:
        value(main)
    assert str(error.value).startswith(f"{main.parent}/{words}")
    assert sys.path == path
    assert set(sys.modules) - before <= {"experiments_main"}
