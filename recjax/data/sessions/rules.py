"""How a log was cut into sessions: what a server must do too, to see the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # It needs packages that serving does not.
    from recjax.tables.units import Unit


@dataclass(frozen=True)
class SessionRules:
    """When a session ends, as `recjax data prepare` was told.

    Attributes:
      gap: idle seconds that end a session; None: sessions have names.
      longest: events after which a session goes on as another; None for any number.
      unit: of times that are numbers; None: it is decided by the values.
      anonymous: a session's name stands for its user.
    """

    gap: int | None = None
    longest: int | None = None
    unit: Unit | None = None
    anonymous: bool = False

    @property
    def apart(self) -> bool:
        """Whether each event is a session of its own."""
        return self.longest == 1

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> SessionRules:
        """Returns the rules among the settings of a data set."""
        known = {name: settings.get(name) for name in ("gap", "longest", "unit")}
        return cls(**known, anonymous=bool(settings.get("anonymous")))
