"""Experiments that fit prepared data: each looks at its tables, and says what it chose.

    shop = rj.prepare(events="events.csv", items="items.csv")
    run = rj.train(rj.templates.two_tower(shop))

What comes back is an `Experiment` like any other: change it with `replace`, or write it
to a file with `recjax init --template two_tower --data NAME`.
"""

from typing import TYPE_CHECKING

from recjax import lazy

if TYPE_CHECKING:
    from recjax.templates.catalog import catalog
    from recjax.templates.images import images
    from recjax.templates.search import search
    from recjax.templates.sequences import sequences
    from recjax.templates.sessions import sessions
    from recjax.templates.two_tower import two_tower
    from recjax.templates.users import users

__getattr__, __dir__ = lazy.names(__name__, __file__)
