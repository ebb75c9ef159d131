"""Arguments as a caller in Python gives them: refused with one message where wrong."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from recjax.api import spelling
from recjax.errors import UserError


@contextlib.contextmanager
def in_python() -> Iterator[None]:
    """Names arguments as Python does in the messages of what commands share."""
    try:
        yield
    except UserError as error:
        raise UserError(spelling.in_python(str(error))) from None


def whole(name: str, value: Any, least: int = 1) -> int:
    """Returns a whole number.

    Raises:
      UserError: it is none, or too small.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise UserError(f"{name}={value!r}: expected a whole number, as {name}={least}")
    if int(value) < least:
        raise UserError(f"{name}={value}: must be at least {least}")
    return int(value)


def path(name: str, value: Any) -> Path:
    """Returns a path.

    Raises:
      UserError: it is none.
    """
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise UserError(
            f'{name}={_short(value)}: expected a path, as {name}="runs/shop"'
        )
    return Path(value).expanduser()


def texts(name: str, value: Any, what: str = "ids") -> list[str]:
    """Returns a list of texts.

    Raises:
      UserError: it is one text, or holds something else.
    """
    if isinstance(value, str | bytes) or not isinstance(value, Sequence | Iterator):
        if not hasattr(value, "to_list"):  # A column of a frame.
            raise UserError(
                f"{name}={_short(value)}: expected a list of {what}, as "
                f'{name}=["{value if isinstance(value, str) else "a"}"]'
            )
        value = value.to_list()
    found = list(value)
    wrong = [one for one in found if not isinstance(one, str)]
    if wrong:
        raise UserError(
            f"{name}: {wrong[0]!r} is a {type(wrong[0]).__name__}; give {what} as "
            f"text, as {str(wrong[0])!r}"
        )
    return found


def pairs(name: str, value: Any) -> tuple[str, ...]:
    """Returns options "left=right", given as a mapping or as a list of them.

    Raises:
      UserError: it is something else.
    """
    if isinstance(value, Mapping):
        return tuple(f"{left}={right}" for left, right in value.items())
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise UserError(
            f'{name}={_short(value)}: expected a mapping, as {name}={{"a": "b"}}, or '
            f'a list, as {name}=["a=b"]'
        )
    return tuple(texts(name, value, "options"))


def table(name: str, value: Any) -> Any:
    """Returns a table as readers take it: paths, or a frame of polars.

    Raises:
      UserError: it is something else, or a frame that cannot be read.
    """
    kind = type(value)
    if kind.__module__.split(".")[0] == "pandas" and kind.__name__ == "DataFrame":
        return _of_pandas(name, value)
    if kind.__module__.split(".")[0] == "polars":
        return value.collect() if kind.__name__ == "LazyFrame" else value
    if isinstance(value, str | os.PathLike):
        return value
    if isinstance(value, list | tuple) and value:
        if all(isinstance(one, str | os.PathLike) for one in value):
            return list(value)
    raise UserError(
        f"{name}={_short(value)}: expected a file, a folder, a list of files, or a "
        "frame of polars or pandas"
    )


def _of_pandas(name: str, frame: Any) -> Any:
    """Returns a frame of polars; a named index is a column of it."""
    import polars as pl

    named = [one for one in frame.index.names if one is not None]
    both = [*named, *frame.columns]
    twice = next((one for one in both if both.count(one) > 1), None)
    if twice is not None:
        raise UserError(f"{name}: two columns are called {twice!r}; rename one")
    frame = frame.reset_index() if named else frame
    try:
        return pl.from_pandas(frame)
    except (TypeError, ValueError, NotImplementedError):
        for column in frame.columns:
            try:
                pl.from_pandas(frame[[column]])
            except (TypeError, ValueError, NotImplementedError) as error:
                raise UserError(
                    f"{name}: column {column!r} of type {frame[column].dtype} cannot "
                    f"be read ({error}); store values of one type in it, as "
                    f"frame[{column!r}].astype(str)"
                ) from error
        raise


def _short(value: Any) -> str:
    told = repr(value)
    return told if len(told) <= 60 else f"a {type(value).__name__}"
