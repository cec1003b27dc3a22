"""Options that several verbs share."""

import os
from typing import Annotated

import typer

Data = Annotated[str, typer.Argument(help="A folder of images, or a manifest CSV.")]
Quietly = Annotated[bool, typer.Option("--quiet", "-q", help="Report no progress.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
KeepTest = Annotated[
    bool, typer.Option("--keep-test", help="Honour the published test part, without its leaks.")
]


def _debug(chosen: bool) -> None:
    if chosen:
        os.environ["TUMORSCOPE_DEBUG"] = "1"


Debug = Annotated[
    bool,
    typer.Option("--debug", callback=_debug, help="Show where an error comes from."),
]
