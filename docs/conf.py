"""The site: `make docs` builds it from docs and notebooks into docs/_build/html."""

import importlib
import inspect
import re
import runpy
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[1]

project = "recjax"
html_title = "recjax"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "conf.py"]
html_theme = "furo"
nitpicky = False

# A file of notebooks/ is a notebook: it runs whenever the site is built.
nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_execution_mode = "force"
nb_execution_timeout = 240
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_merge_streams = True

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

# `x` in a docstring is code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True}
napoleon_use_ivar = True
napoleon_use_rtype = False


class Public(SphinxDirective):
    """`{public} recjax.nn`: the reference of every public name of a package."""

    required_arguments = 1

    def run(self):
        """Returns a section of markdown, a name after the other."""
        package = importlib.import_module(self.arguments[0])
        lines = []
        for name in sorted(dir(package)):
            thing = getattr(package, name)
            if name.startswith("_") or inspect.ismodule(thing):
                continue
            kind = "class" if inspect.isclass(thing) else "function"
            if inspect.isclass(thing) and issubclass(thing, Exception):
                kind = "exception"
            lines += [f".. auto{kind}:: {package.__name__}.{name}", ""]
        return self.parse_text_to_nodes("\n".join(["```{eval-rst}", *lines, "```"]))


class Errors(SphinxDirective):
    """`{errors}`: the messages of recjax, by what one is doing."""

    def run(self):
        """Returns sections of markdown: tools/list_errors.py says which."""
        tool = runpy.run_path(str(ROOT / "tools/list_errors.py"))
        text = tool["markdown"](ROOT / "recjax")
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def without_outer_links(app: Sphinx, name: str, source: list[str]) -> None:
    """Leaves the text of links to files beside docs/: the site has none of these."""
    if not name.startswith("notebooks/"):
        source[0] = re.sub(r"\[([^\]]+)\]\(\.\./[^)]+\)", r"\1", source[0])


def setup(app: Sphinx) -> None:
    """Adds what the pages ask for."""
    app.connect("source-read", without_outer_links)
    app.add_directive("public", Public)
    app.add_directive("errors", Errors)
