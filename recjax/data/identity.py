"""Which data a model is of, so that other data is never taken for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from recjax.data.prepared import ABOUT, Prepared, place
from recjax.errors import UserError

SHOWN = 12
"""Digits of a digest that people see."""


@dataclass(frozen=True)
class Identity:
    """Prepared data as a run, a bundle, a profile or a state remembers it.

    Attributes:
      name: its folder.
      digest: of its ids and schema; see `recjax.data.prepared.digest_of`.
      command: that made it.
      settings: how events became sessions, what levels images have.
      extends: digests of the data whose rows it keeps (`--extend`), oldest first.
    """

    name: str
    digest: str
    command: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    extends: tuple[str, ...] = ()

    @classmethod
    def of(cls, known: Prepared) -> Identity:
        """Returns the identity of a data set."""
        about = known.about
        told = known.digest, about.get("command", ""), known.settings, known.extends
        return cls(str(known.path), *told)

    @classmethod
    def of_source(cls, source: Any) -> Identity | None:
        """Returns that of what an experiment opens; None where that is not prepared."""
        name = _prepared(source)
        return None if name is None else cls.of(Prepared.open(name))

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Identity:
        """Returns what `told` gave.

        Raises:
          TypeError: it is damaged.
        """
        try:
            one = cls(**{**told, "extends": tuple(told["extends"])})
        except (LookupError, TypeError) as error:
            raise TypeError(f"no identity of data: {told}") from error
        if not isinstance(one.digest, str) or not isinstance(one.settings, Mapping):
            raise TypeError(f"no identity of data: {told}")
        return one

    @property
    def told(self) -> dict[str, Any]:
        """It as JSON."""
        return asdict(self)

    def __str__(self) -> str:
        """For people."""
        made = f", made by `{self.command}`" if self.command else ""
        return f"{self.name} (digest {self.digest[:SHOWN]}{made})"

    @property
    def made_as(self) -> dict[str, Any]:
        """The settings that decide what a model learns: not in what unit times were."""
        return {name: v for name, v in self.settings.items() if name != "unit"}

    def keeps(self, other: Identity) -> bool:
        """Returns whether the rows of `other` are the first ones of this data."""
        return other.digest in (self.digest, *self.extends)


def stamp(source: Any) -> tuple[int, ...]:
    """Returns what changes whenever data is prepared anew, also where no id changes.

    Args:
      source: what an experiment opens.

    Returns:
      Nothing, where that is not prepared.
    """
    name = _prepared(source)
    if name is None:
        return ()
    told = (place(name) / ABOUT).stat()
    return told.st_mtime_ns, told.st_ino, told.st_size


def _prepared(source: Any) -> str | Path | None:
    """Returns the name or folder of prepared data; None of what is not prepared."""
    name = getattr(source, "source", None)
    known = isinstance(name, str | Path) and (place(name) / ABOUT).is_file()
    return name if known else None


def refuse_other(what: str, made: Identity, now: Identity, run: str = "RUN") -> None:
    """Compares the data that something was made of with the data that is there.

    Args:
      what: was made, such as "runs/shop".
      made: the data that it was made of.
      now: the data that is there.
      run: the run that could be gone on with, for the fix.

    Raises:
      UserError: they differ in ids, schema or settings; says which command made each,
        and what to do.
    """
    if made.digest == now.digest and made.made_as == now.made_as:
        return
    if made.digest == now.digest:
        one, other = made.made_as, now.made_as
        told = [
            f"{name} {one.get(name)}, now {other.get(name)}"
            for name in {**one, **other}
            if one.get(name) != other.get(name)
        ]
        why = f"prepared with {'; '.join(told)}"
    elif now.keeps(made):
        why = "ids have been added to it since"
    else:
        why = "its ids, their order or its columns have changed"
    fix = "prepare the data of before again, or train on this with another --workdir"
    if now.keeps(made):
        fix = f"go on with it: recjax train EXPERIMENT --workdir NEW --from {run}"
    raise UserError(
        f"{what} is of other data: {why}\n  was {made}\n  is  {now}\n  Fix: {fix}"
    )
