"""Packages as if they were not installed; for fresh processes, before any import."""

import sys


class Without:
    """Another finder of modules that does not find some packages."""

    def __init__(self, finder, packages):
        """Wraps a finder."""
        self._finder, self._packages = finder, packages

    def find_spec(self, name, *arguments):
        """Returns None for the hidden packages."""
        if name.split(".")[0] in self._packages:
            return None
        return self._finder.find_spec(name, *arguments)

    def __getattr__(self, name):
        """Leaves all else to the finder."""
        return getattr(self._finder, name)


def mask(packages):
    """Hides packages from every import that follows."""
    assert not {*packages} & {*sys.modules}, "masked too late"
    sys.meta_path[:] = [
        Without(finder, frozenset(packages)) for finder in sys.meta_path
    ]
