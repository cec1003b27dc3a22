"""How Sphinx builds the site. `make docs` does so without a network, and fails on any warning."""

import re
from itertools import chain, takewhile

from sphinx.application import Sphinx

from tumorscope._version import __version__

project = "tumorscope"
author = "the authors of tumorscope"
copyright = "the authors of tumorscope; Apache-2.0"  # noqa: A001 (Sphinx reads this name)
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]  # the site itself; every other page must be in the navigation

html_theme = "furo"
html_title = f"tumorscope {__version__}"

myst_heading_anchors = 4  # headings get the anchors that code hosts give them

autodoc_default_options = {"exclude-members": "model_config"}  # pydantic's, the same in each
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # fields stand once, in the list under their class
napoleon_use_rtype = False  # "The run: its folder" is a sentence; signatures have the types
default_role = "code"  # single backticks in docstrings are code, as in Markdown
maximum_signature_line_length = 80

SHARED = re.compile(r":(ivar|param) (\w+(?:, \w+)+):")


def keep_drawing(
    _app: Sphinx, _what: str, name: str, _subject: object, _options: object, lines: list[str]
) -> None:
    """Show the tree of errors as it is drawn: its docstring is text, not reStructuredText."""
    if name != "tumorscope.errors":
        return
    first = next(n for n, line in enumerate(lines) if line.startswith("TumorscopeError"))
    last = max(n for n, line in enumerate(lines) if line.startswith(("├", "│", "└")))
    tree = ["   " + line for line in lines[first : last + 1]]
    lines[first : last + 1] = ["::", "", *tree, ""]


def part_shared_fields(
    _app: Sphinx, _what: str, _name: str, _subject: object, _options: object, lines: list[str]
) -> None:
    """Give fields that are described together a line each: Sphinx takes the first for a type."""
    for number in reversed(range(len(lines))):
        found = SHARED.match(lines[number])
        if found:
            rest = list(takewhile(lambda line: line.startswith(" "), lines[number + 1 :]))
            text = lines[number][found.end() :]
            each = [(f":{found[1]} {name}:{text}", *rest) for name in found[2].split(", ")]
            lines[number : number + 1 + len(rest)] = chain.from_iterable(each)


def setup(app: Sphinx) -> None:
    """Register what the extensions do not do by themselves."""
    app.connect("autodoc-process-docstring", keep_drawing)
    app.connect("autodoc-process-docstring", part_shared_fields)
