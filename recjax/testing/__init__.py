"""Small invented data sets of every kind, for tests of what one builds on recjax.

    shop = rj.prepare(**rj.testing.interactions(), out=tmp_path / "shop")

There is something to learn in each: customers stay with one or two kinds of things.
They are functions of their arguments: tests see the same data each time.
"""

from typing import TYPE_CHECKING

from recjax import lazy

if TYPE_CHECKING:
    from recjax.testing.photos import images
    from recjax.testing.shop import catalog, interactions, search, sessions, users

__getattr__, __dir__ = lazy.names(__name__, __file__)
