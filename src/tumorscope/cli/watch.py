"""The verb watch."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tumorscope.cli.app import app
from tumorscope.cli.options import AsJson, Debug


class Alarm(StrEnum):
    """What ends with exit code 1."""

    drop = "drop"
    drift = "drift"


@app.command()
def watch(
    log: Annotated[str, typer.Argument(help="The log: a folder, or postgresql://…")],
    truth: Annotated[
        Path | None,
        typer.Option(
            help="A CSV with the true class of cases.",
            show_default="the last word of readers",
        ),
    ] = None,
    by: Annotated[
        str, typer.Option(help="Column of --truth with the case's name or id.")
    ] = "image",
    label: Annotated[str, typer.Option(help="Column of --truth with the true class.")] = "label",
    patient: Annotated[
        str,
        typer.Option(help="Column of --truth with the patient.", show_default="as the log has it"),
    ] = "",
    known: Annotated[
        str,
        typer.Option(
            help="Column of --truth with the date since which it is known.",
            show_default="the order of the cases",
        ),
    ] = "",
    expect: Annotated[
        float | None,
        typer.Option(
            help="The accuracy below which a fall is looked for, such as 0.93.",
            show_default="with --model the lower end of the interval on its card",
        ),
    ] = None,
    bundle: Annotated[
        str | None,
        typer.Option(
            "--model", help="The model that is watched.", show_default="the newest in the log"
        ),
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="Write the result as an HTML page.", show_default="none")
    ] = None,
    fail_on: Annotated[
        list[Alarm] | None,
        typer.Option(help="Exit with 1 on a drop of accuracy, or drift of cases."),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Say whether a model still works, from its log and later truth."""
    from tumorscope.commands.watch import watch as call  # noqa: PLC0415
    from tumorscope.support.terminal import show, show_table  # noqa: PLC0415

    watched = call(
        log,
        truth=truth,
        by=by,
        label=label,
        patient=patient,
        known=known,
        expect=expect,
        model=bundle,
        page=page,
    )
    if as_json:
        show(watched.model_dump_json(indent=2))
    else:
        for sentence in watched.sentences:
            show(sentence)
        rows = [
            ("answered", str(watched.cases - watched.failed - watched.refused)),
            ("refused", str(watched.refused)),
            ("could not be read", str(watched.failed)),
            ("truths", str(watched.truths)),
            ("patients with a truth", str(watched.patients)),
        ]
        show_table(("cases", "number"), rows)
    if page is not None:
        typer.echo(f"Page: {page}", err=True)
    alarms = {Alarm.drop: watched.fell is not None, Alarm.drift: bool(watched.drift)}
    if any(alarms[own] for own in fail_on or ()):
        raise typer.Exit(1)
