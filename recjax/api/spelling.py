"""Messages that commands and Python share, in the spelling of Python."""

from __future__ import annotations

import re
from re import Match

NAMES = {"from": "start", "entity": "entities"}
"""Options that are called otherwise in Python."""
KEEP = re.compile(r"`[^`]*`|\bpip (?:install|download)(?: --[a-z-]+)*")
"""Commands that stay as they are."""
CHOICES = "skip|error|empty|s|ms|us|ns|utf-?[0-9]+"


def in_python(text: str) -> str:
    """Returns a text with options spelled as arguments; commands stay as they are.

    Example:
      >>> in_python("name yours: --rename items:film=id, or pass --on-bad-row skip")
      'name yours: rename={"items:film": "id"}, or pass on_bad_row="skip"'
    """
    found, done = [], 0
    for command in KEEP.finditer(text):
        found += [_spelled(text[done : command.start()]), command[0]]
        done = command.end()
    return "".join([*found, _spelled(text[done:])])


def _spelled(text: str) -> str:
    for pattern, made in PATTERNS:
        text = re.sub(pattern, made, text)
    return text


def _name(option: str) -> str:
    return NAMES.get(option, option).replace("-", "_")


def _mapping(found: Match[str]) -> str:
    return f'{_name(found[1])}={{"{found[2]}": "{found[3]}"}}'


def _export(found: Match[str]) -> str:
    value = {"true": "True", "false": "False"}.get(found[2], found[2])
    return f"{found[1]}={value}"


def _value(found: Match[str]) -> str:
    value = found[2]
    if re.fullmatch(CHOICES, value):
        value = f'"{value}"'
    return f"{_name(found[1])}={value}"


START = r"(?<![\w`'\"=-])--"
PATTERNS = (
    (
        r"recjax train EXPERIMENT --workdir NEW --from (\S+)",
        r'rj.train(experiment, "NEW", start="\1")',
    ),
    (
        START + r"(rename|column|entity) ([^\s=][^=\n;]*)=(\.{3}|[\w-]*)",
        _mapping,
    ),
    (START + r"set export\.(\w+)=(\w+)", _export),
    (START + r"set (?=\w)", ""),
    (START + r"debug nans\b", "jax.debug_nans(True)"),
    (
        START + rf"([a-z][a-z-]*) ((?:{CHOICES})\b|'[^']*'|\d[\d.]*\b|[A-Z]{{2,}}\b)",
        _value,
    ),
    (START + r"from (\S+?)(?=[:\s]|$)", r'start="\1"'),
    (START + r"([a-z][a-z-]*)", lambda found: _name(found[1])),
)
"""What each kind of option becomes; the first that fits."""
