"""Pages of one self-contained file each, from templates."""

import base64
from collections.abc import Mapping
from typing import Any

import jinja2

from tumorscope._version import __version__
from tumorscope.schema import wording

FILTERS = {
    "share": wording.share,
    "number": wording.number,
    "prevalences": wording.prevalences,
    "percent": wording.with_interval,
    "points": wording.points,
    "interval": wording.interval,
    "short_interval": wording.short_interval,
}


def render_page(template: str, values: Mapping[str, Any]) -> str:
    """Return a page.

    Args:
        template: its name in this package, without `.html.j2`.
        values: what it shows; a name that is missing is an error.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tumorscope", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    return environment.get_template(f"{template}.html.j2").render(values, version=__version__)


def data_uri(content: bytes) -> str:
    """Return a PNG as an address that holds its content."""
    return "data:image/png;base64," + base64.b64encode(content).decode()
