"""Prints the messages of every `UserError` in recjax, by what one is doing.

python tools/list_errors.py

What a message is filled with stands in capitals: PATH, K, NAME. The site's page of
errors is made of this, so that it has today's words.
"""

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GROUPS = {
    "Files and data": ("tables", "prepare", "data", "fetch", "disk", "images"),
    "Texts and pretrained weights": ("text", "pretrained"),
    "In Python": ("api", "testing"),
    "Experiments, settings and runs": (
        "experiment", "settings", "python_file", "runs", "train", "sweep", "pytree",
        "rehearse", "execution",
        "written", "templates", "models", "nn", "losses", "optim",
    ),
    "Evaluations": ("evals", "metrics"),
    "Export, bundles and queries": ("bundle", "index", "extras", "export"),
    "Serving": ("serve",),
    "Users and their clusters": ("users",),
    "Several devices and hosts": ("launch", "sharding", "jobs"),
    "The command line": ("cli", "doctor"),
}  # fmt: skip
"""Heading -> parts of recjax."""
LAST = "Other"
CUT = re.compile(r"(?<=[\w>])<\w+>|<\w+>(?=[\w<])")
"""A value that stands against a word says more than its name could: it becomes "…"."""


def placeholder(node: ast.AST) -> str:
    """Returns what a value is called in a message: the last name in it, in capitals."""
    if isinstance(node, ast.Call):
        return placeholder(node.args[0] if node.args else node.func)
    names = re.findall(r"[A-Za-z_]\w*", ast.unparse(node))
    return f"<{names[-1].strip('_').upper()}>" if names else "<N>"


def message(node: ast.AST) -> str:
    """Returns the text that an expression writes."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(map(message, parts))
        case ast.FormattedValue(value=ast.IfExp() as chosen):
            return message(chosen)
        case ast.FormattedValue(value=ast.Call(func=ast.Name(id="nearest"))):
            return " Did you mean …?"
        case ast.FormattedValue(value=value):
            return placeholder(value)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return message(left) + message(right)
        case ast.IfExp(body=body, orelse=other):
            return message(body) or message(other)
    return placeholder(node)


def raised(file: Path) -> list[str]:
    """Returns the messages of a file's `UserError`s that have words of their own."""
    found, text = [], file.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)) if "UserError(" in text else ():
        match node:
            case ast.Call(func=ast.Name(id="UserError"), args=[first, *_]):
                text = tidy(message(first))
                if re.search(r"[a-z]{3,} [a-z]", text):
                    found.append(text)
    return found


def tidy(text: str) -> str:
    """Returns a message in one line, its values as bare capitals."""
    text = CUT.sub("…", " ".join(text.split()))
    return re.sub(r"<(\w+)>", r"\1", text)


def assigned(function: ast.AST) -> dict[str, ast.AST]:
    """Returns what names of a function stand for: those that are set once."""
    found = defaultdict(list)
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found[name].append(value)
            case ast.AugAssign(target=ast.Name(id=name)):
                found[name] += [node, node]
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=all)):
                for name, value in zip(names, all, strict=False):
                    found[getattr(name, "id", "")].append(value)
    return {name: values[0] for name, values in found.items() if len(values) == 1}


def rows(package: Path) -> dict[str, str]:
    """Returns what may be wrong with files and their rows: the problem -> the fix."""
    found = {}
    for file in sorted(package.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for function in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)):
            names = assigned(function)
            pairs = (
                [(names["kind"], names["fix"])] if {"kind", "fix"} <= {*names} else []
            )
            for node in ast.walk(function):
                match node:
                    case (
                        ast.Call(ast.Name(id="Problem" | "Unusable"), [kind, fix, *_])
                        | ast.Call(ast.Attribute(attr="of_file"), [_, kind, fix, *_])
                        | ast.Tuple(elts=[kind, fix, _])
                    ):
                        pairs.append((kind, fix))
            for pair in pairs:
                told = [names.get(getattr(one, "id", ""), one) for one in pair]
                if all(isinstance(one, ast.Constant | ast.JoinedStr) for one in told):
                    kind, fix = (tidy(message(one)) for one in told)
                    if " " in fix and re.search("[a-z]", kind):
                        found.setdefault(kind, fix)
    return found


def grouped(package: Path) -> dict[str, list[str]]:
    """Returns heading -> messages, each once."""
    groups = defaultdict(dict)
    where = {part: head for head, parts in GROUPS.items() for part in parts}
    for file in sorted(package.rglob("*.py")):
        part = file.relative_to(package).parts[0].removesuffix(".py")
        groups[where.get(part, LAST)].update(dict.fromkeys(raised(file)))
    return {head: list(groups[head]) for head in [*GROUPS, LAST] if groups.get(head)}


def markdown(package: Path) -> str:
    """Returns all messages as sections of markdown."""
    table = [f"| {kind} | {fix} |" for kind, fix in rows(package / "tables").items()]
    table = [line.replace("\\", "\\\\") for line in table]
    lines = ["## Rows of files", "", "| problem | fix |", "|---|---|", *table]
    for head, messages in grouped(package).items():
        lines += ["", f"## {head}", ""]
        lines += [f"* `` {text} ``" for text in messages]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    print(markdown(ROOT / "recjax"))
