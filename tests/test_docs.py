"""What documents name is there: files, names of Python, commands and their options."""

import ast
import contextlib
import functools
import importlib
import inspect
import io
import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest
import tyro

from recjax.cli import main as cli

ROOT = Path(__file__).resolve().parents[1]
DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
DOCS += sorted((ROOT / "docs").rglob("*.md"))
DEPTH = {"data": 3, "session": 2, "users": 2}
"""Words of a command that has others under it."""


def resolves(name):
    """Returns whether a dotted name is a module, or what stands in one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        with contextlib.suppress(ImportError):
            found = importlib.import_module(".".join(parts[:end]))
            try:
                functools.reduce(getattr, parts[end:], found)
            except AttributeError:
                return False
            return True
    return False


@functools.cache
def options(command):
    """Returns the options that the help of a command lists."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), pytest.raises(SystemExit) as stopped:
        cli.main([*command, "--help"])
    assert not stopped.value.code, command
    return {"--help", *re.findall(r"(?<![\w-])-{1,2}[a-z][\w-]*", said.getvalue())}


def parses(words):
    """Parses the words of a command as the command line does, and does nothing."""
    target, rest = cli.app, list(words)
    while isinstance(target, tyro.extras.SubcommandApp):
        target = target._subcommands[rest.pop(0).replace("-", "_")].target
    tyro.cli(functools.wraps(target)(lambda *args, **kwargs: None), args=rest)


def anchors(text):
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return [re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads]


@pytest.mark.parametrize("doc", DOCS, ids=lambda doc: doc.name)
def test_names_files_and_commands_are_there(doc):
    text = doc.read_text()
    for name in set(re.findall(r"\brecjax(?:\.\w+)+", text)):
        assert resolves(name), name
    for name in set(re.findall(r"\brj((?:\.[A-Za-z]\w*)+)", text)):
        assert resolves(f"recjax{name}"), f"rj{name}"
    for link in re.findall(r"\]\(([^)]+)\)", text):
        if not link.startswith("http"):
            file, _, anchor = link.partition("#")
            other = doc.parent / file if file else doc
            assert other.exists(), link
            assert not anchor or anchor in anchors(other.read_text()), link
    folders = r"\b((?:tools|experiments|configs|recjax|tests|docs)/[\w/]+\.\w+)"
    for path in re.findall(folders, text):
        assert (ROOT / path).exists(), path
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        with contextlib.suppress(SyntaxError):  # Parts of programs may be left out.
            for node in ast.walk(ast.parse(code)):
                if isinstance(node, ast.ImportFrom) and "recjax" in node.module:
                    for alias in node.names:
                        assert resolves(f"{node.module}.{alias.name}"), alias.name
    commands = r"(^ *|`)(recjax +[a-z][^`\n]*)(`?)"
    lines = re.findall(commands, text.replace("\\\n", " "), re.MULTILINE)
    for before, line, after in lines:
        if " takes " in line:  # A sentence.
            continue
        words = shlex.split(re.split("[|>&]", line)[0], comments=True)[1:]
        # In a sentence a command may be cut short.
        whole = before != "`" or after and "--workdir" in line
        if whole and not re.search(r"\.\.\.|…|\[", line):
            parses(words)
        command = [word for word in words[: DEPTH.get(words[0], 1)] if word[0] != "-"]
        for word in words:
            option = word.split("=")[0]
            if option.startswith("-"):
                assert option in options(tuple(command)), line


def own_data(folder, monkeypatch, *kinds):
    """Runs the commands of a page in a folder as a newcomer would, but in few steps."""
    monkeypatch.setenv("RECJAX_CACHE", str(folder / "cache"))
    monkeypatch.chdir(folder)
    (folder / "experiments").symlink_to(ROOT / "experiments")
    monkeypatch.setattr(sys, "argv", ["example_shop.py", "shop"])
    runpy.run_path(str(ROOT / "tools/example_shop.py"), run_name="__main__")
    text = (ROOT / "docs/your_own_data.md").read_text()
    lines = re.findall(r"^recjax +(.*[^…])$", text, re.MULTILINE)
    few = ["--set", "steps=2", "--tiny"]
    done = []
    for words in map(shlex.split, lines):
        if words[0] in kinds:
            cli.main(words + (few if words[0] == "train" else []))
            done.append(" ".join(words[:2]))
    return done


def test_data_is_prepared_as_its_page_says(tmp_path, monkeypatch, capsys):
    done = own_data(tmp_path, monkeypatch, "data")
    assert done.count("data prepare") == 5 and "data describe" in done
    assert capsys.readouterr().out.count("prepared: ") == 5
    prepared = {path.name for path in (tmp_path / "cache" / "prepared").iterdir()}
    assert prepared == {"shop", "shop_sessions", "shop_search", "shop_photos"}


@pytest.mark.slow
def test_models_of_ones_own_data_as_its_page_says(tmp_path, monkeypatch):
    done = own_data(tmp_path, monkeypatch, "data", "train")
    assert len([one for one in done if one.startswith("train")]) == 4


def test_tables_of_results_are_those_of_their_files(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["write_results.py", "--check"])
    runpy.run_path(str(ROOT / "tools/write_results.py"), run_name="__main__")


def test_page_of_errors_has_the_messages_of_the_code():
    tool = runpy.run_path(str(ROOT / "tools/list_errors.py"))
    text = tool["markdown"](ROOT / "recjax")
    assert "| not a timestamp | write unix seconds (or with --unit" in text
    assert "* `` PATH: changed since the export (hash or size differ from" in text
    heads = re.findall("^## (.*)$", text, re.MULTILINE)
    assert set(tool["GROUPS"]) <= set(heads) and "Other" not in heads
    assert all(len(line) < 500 for line in text.splitlines())


def test_reference_has_every_public_name():
    packages = re.findall(r"\{public\} ([\w.]+)", (ROOT / "docs/api.md").read_text())
    for package in map(importlib.import_module, packages):
        for name in dir(package):
            thing = getattr(package, name)
            if inspect.ismodule(thing):
                assert thing.__name__ in packages, thing.__name__
            elif not name.startswith("_"):
                assert inspect.getdoc(thing), f"{package.__name__}.{name}"
