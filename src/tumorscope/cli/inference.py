"""Verbs that use a model: predict, export."""

import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from tumorscope.cli.answers import Format, conclude, counted, print_answers
from tumorscope.cli.app import app
from tumorscope.cli.options import AsJson, Debug, InPlane, KeepIdentifiers, PlaneName, Quietly
from tumorscope.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tumorscope.inference.archive import Runner
    from tumorscope.inference.bundle import Runtime
    from tumorscope.inference.predict import Predictor
    from tumorscope.records import Prediction


class Scheduler(StrEnum):
    """Where an archive is scored."""

    local = "local"
    ray = "ray"


class RuntimeName(StrEnum):
    """What runs the model."""

    onnx = "onnx"
    openvino = "openvino"
    pytorch = "pytorch"


@app.command()
def predict(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="Files, folders, patterns, or - for a list on standard input. Before them a run, "
            "its bundle, the zip of it or a model's name; without one, the model that comes with "
            "tumorscope answers.",
        ),
    ],
    answers: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.table,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write to this .jsonl or .csv; an interrupted call is continued.",
            show_default="standard output",
        ),
    ] = None,
    runtime: Annotated[
        RuntimeName | None,
        typer.Option(help="What runs the model.", show_default="the bundle's own"),
    ] = None,
    engine: Annotated[
        Scheduler, typer.Option(help="Where to run; ray needs --out.")
    ] = Scheduler.local,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of workers.", show_default="all cores")
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(help="Write a page of the series, with their slices, to this .html."),
    ] = None,
    dicom: Annotated[
        Path | None,
        typer.Option(
            help="Write a DICOM report and a picture of each answered DICOM series into this "
            "folder, for the archive: they name the patient."
        ),
    ] = None,
    plane: InPlane = PlaneName.auto,
    keep_identifiers: KeepIdentifiers = False,
    log: Annotated[
        str | None,
        typer.Option(
            help="Also keep the answers in a log, for 'tumorscope watch': a folder, or "
            "postgresql://…",
            show_default="none",
        ),
    ] = None,
    quiet: Quietly = False,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Classify images and series: class, probabilities, and whether to answer at all."""
    from tumorscope.cli.series import SeriesOutputs, answer_series  # noqa: PLC0415
    from tumorscope.data.scans.stacks import ScanOptions  # noqa: PLC0415
    from tumorscope.inference.archive import ArchiveCounts, score_archive  # noqa: PLC0415
    from tumorscope.inference.inputs import list_inputs  # noqa: PLC0415
    from tumorscope.inference.predict import Predictor  # noqa: PLC0415
    from tumorscope.inference.series import holds_series  # noqa: PLC0415
    from tumorscope.support.extras import require_extra  # noqa: PLC0415
    from tumorscope.support.terminal import terminal_progress  # noqa: PLC0415

    bundle, inputs = _split_bundle(inputs)
    if log is not None:
        require_extra("watch", "--log")
        if out is not None:
            raise UsageError("--log keeps the answers itself: leave out --out.")
    if any(holds_series(Path(word)) for word in inputs):
        if engine is Scheduler.ray:
            raise UsageError("--engine ray takes slices, not series.")
        predictor = Predictor.load(bundle, runtime=cast("Runtime | None", runtime), threads=1)
        printed = Format.jsonl if as_json else answers
        outputs = SeriesOutputs(
            printed, out, page, dicom, ScanOptions(plane.value, keep_identifiers), log
        )
        answer_series(predictor, inputs, workers or os.cpu_count(), outputs)
        return
    if page is not None or dicom is not None:
        option = "--dicom" if page is None else "--page"
        raise UsageError(
            f"{option} is for series of a scanner, and there are none in {', '.join(inputs)}."
        )
    names = list_inputs(inputs, sys.stdin)
    progress = terminal_progress(quiet=quiet)
    chosen = cast("Runtime | None", runtime)
    if out is not None:
        scored = score_archive(
            bundle,
            names if "-" in inputs else list(names),  # whose number is known
            out,
            runtime=chosen,
            workers=workers,
            run=_on_ray() if engine is Scheduler.ray else None,
            progress=progress,
        )
    elif engine is Scheduler.ray:
        raise UsageError("--engine ray writes to a file: say which with --out FILE.jsonl.")
    else:
        scored = ArchiveCounts()
        predictor = Predictor.load(bundle, runtime=chosen, threads=1)
        at_once = workers or os.cpu_count() or 1
        told = predictor.predict(names, workers=at_once)
        if log is not None:
            told = _recorded(predictor, log, names, at_once)
        print_answers(counted(told, scored), predictor, Format.jsonl if as_json else answers)
    conclude(scored, inputs, out)


def _recorded(
    predictor: "Predictor", place: str, names: "Iterator[str]", workers: int
) -> "Iterator[Prediction]":
    """Yield answers that are written into a log before they are given."""
    from tumorscope.watching.log import Log  # noqa: PLC0415 (an extra)
    from tumorscope.watching.record import record_answers  # noqa: PLC0415

    log = Log(place)
    try:
        yield from record_answers(predictor, log, names, workers)
    finally:
        log.close()


def _split_bundle(words: list[str]) -> tuple[str, list[str]]:
    """Tell the bundle from the inputs; without one the package's own model answers, and says so.

    Raises:
        UsageError: there is a bundle and nothing to answer.
    """
    from tumorscope.inference.bundle import holds_bundle, open_bundle  # noqa: PLC0415
    from tumorscope.inference.inputs import names_inputs  # noqa: PLC0415
    from tumorscope.inference.shipped import DEFAULT  # noqa: PLC0415

    first, *rest = words
    if holds_bundle(first) and not rest:
        raise UsageError(f"{first} is a model: name the images that it shall answer after it.")
    if holds_bundle(first) or (rest and not names_inputs(first)):
        return first, rest
    typer.echo(f"{DEFAULT}: {open_bundle(DEFAULT).card.scope}", err=True)
    return DEFAULT, words


def _on_ray() -> "Runner":
    """Return what answers an archive on Ray.

    Raises:
        MissingExtra: Ray is not installed.
    """
    from tumorscope.support.extras import require_extra  # noqa: PLC0415

    require_extra("ray", "--engine ray")
    from tumorscope.inference.ray import run_on_ray  # noqa: PLC0415 (an extra)

    return run_on_ray


@app.command()
def models(
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """List the models that come with tumorscope."""
    from tumorscope.inference.bundle import open_bundle  # noqa: PLC0415
    from tumorscope.inference.shipped import DEFAULT, shipped_names, shipped_zip  # noqa: PLC0415
    from tumorscope.schema.wording import compact  # noqa: PLC0415
    from tumorscope.support.terminal import show, show_table, show_text  # noqa: PLC0415

    cards = {name: open_bundle(name).card for name in shipped_names()}
    if as_json:
        show(json.dumps({name: card.model_dump(mode="json") for name, card in cards.items()}))
        return
    rows = [
        (
            name,
            f"{shipped_zip(name).stat().st_size / 1e6:.1f} MB",
            compact(card.scores["accuracy"]),
            ", ".join(card.classes),
        )
        for name, card in cards.items()
    ]
    show_table(("model", "size", "accuracy on new patients", "classes"), rows)
    for name, card in cards.items():
        show_text(f"{name}: {card.scope}")
        for place, score in card.elsewhere.items():
            show_text(f"    on {score.n} images of {place}: {compact(score)}", hang="    ")
    show(f"\nPredict:  tumorscope predict IMAGE … uses {DEFAULT}")


class Target(StrEnum):
    """For which runtime a model is exported."""

    onnx = "onnx"
    openvino = "openvino"


class PrecisionName(StrEnum):
    """In which numbers."""

    fp32 = "fp32"
    fp16 = "fp16"
    int8 = "int8"


@app.command()
def export(
    run: Annotated[str, typer.Argument(help="The folder of a run.")],
    to: Annotated[Target, typer.Option(help="For which runtime.")] = Target.onnx,
    precision: Annotated[
        PrecisionName, typer.Option(help="fp16: half the size. int8: faster.")
    ] = PrecisionName.fp32,
    data: Annotated[
        str | None, typer.Option(help="Where the run's data is now.", show_default="where it was")
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(help="The bundle's folder.", show_default="RUN/exports/<to>-<precision>"),
    ] = None,
    licence: Annotated[
        str | None, typer.Option(help="The licence of the model.", show_default="not stated")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Keep int8 though too few images could judge it.")
    ] = False,
    quiet: Quietly = False,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Write a run's model for a runtime, held against the original first."""
    import tumorscope  # noqa: PLC0415
    from tumorscope.cli.show import show_export  # noqa: PLC0415
    from tumorscope.support.terminal import show, terminal_progress  # noqa: PLC0415

    exported = tumorscope.export_run(
        run=run,
        to=cast("Any", to.value),
        precision=cast("Any", precision.value),
        data=data,
        out=out,
        licence=licence,
        force=force,
        progress=terminal_progress(quiet=quiet),
    )
    if as_json:
        show(exported.card.model_dump_json(indent=2))
    else:
        show_export(exported)
