"""Options that several verbs share."""

import os
from collections.abc import Sequence
from typing import Annotated

import typer

from tumorscope.errors import UsageError

Data = Annotated[str, typer.Argument(help="A folder of images, or a manifest CSV.")]
Quietly = Annotated[bool, typer.Option("--quiet", "-q", help="Report no progress.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
OpenPage = Annotated[bool, typer.Option("--open", help="Open the report in a browser.")]
Figures = Annotated[
    list[str] | None,
    typer.Option(metavar="FORMAT", help="Also write every figure as svg or pdf; repeatable."),
]
KeepTest = Annotated[
    bool, typer.Option("--keep-test", help="Keep the published test part, without its leaks.")
]


def _debug(chosen: bool) -> None:
    if chosen:
        os.environ["TUMORSCOPE_DEBUG"] = "1"


Debug = Annotated[
    bool,
    typer.Option("--debug", callback=_debug, help="Show the traceback of an error."),
]


def pairs(given: Sequence[str] | None, option: str) -> list[tuple[str, str]]:
    """Read `NAME=VALUE` each, several with commas between them.

    Raises:
        UsageError: one has no equals sign.
    """
    pairs: list[tuple[str, str]] = []
    for text in ",".join(given or ()).split(","):
        if not text:
            continue
        name, sign, value = text.partition("=")
        if not sign:
            same = f"; a second one for {pairs[-1][0]} is {pairs[-1][0]}={text}" if pairs else ""
            raise UsageError(f"{option} takes NAME=VALUE, not '{text}'{same}.")
        pairs.append((name.strip(), value.strip()))
    return pairs
