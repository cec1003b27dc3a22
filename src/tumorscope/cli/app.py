"""The application: its name, its help and the options that belong to no verb."""

from typing import Annotated

import typer

from tumorscope._version import __version__

WALK = (
    "read → audit → split → store → train → evaluate → explain → bundle → export → predict → serve"
)

app = typer.Typer(
    name="tumorscope",
    help="Brain-tumour classification on MRI slices, with numbers that can be believed.\n\n"
    f"The walk of the data: {WALK}\n\n"
    "Research software, not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(chosen: bool) -> None:
    if chosen:
        typer.echo(f"tumorscope {__version__}")
        raise typer.Exit


@app.callback()
def _global(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Hold the options that belong to no verb."""
