"""Verbs that make models: demo, train, recipes."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from tumorscope.cli.app import app
from tumorscope.cli.options import (
    Apart,
    AsJson,
    ClassesFrom,
    ColumnNames,
    Copies,
    Data,
    Debug,
    Figures,
    Ignore,
    InPlane,
    KeepIdentifiers,
    KeepTest,
    NamePatients,
    OpenPage,
    PartNames,
    PatientFolders,
    PlaneName,
    Quietly,
    grouping_rules,
    layout_options,
)
from tumorscope.errors import UsageError
from tumorscope.runs.options import TrainOptions

if TYPE_CHECKING:
    from tumorscope.schema.recipe import Recipe


@app.command()
def demo(
    out: Annotated[
        str | None, typer.Option(help="Where to work.", show_default="runs/demo-<n>")
    ] = None,
    open_page: OpenPage = False,
    quiet: Quietly = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Draw synthetic slices, train on them and write a report (under two minutes)."""
    import tumorscope  # noqa: PLC0415
    from tumorscope.cli.show import show_run  # noqa: PLC0415
    from tumorscope.support.terminal import open_report, show, terminal_progress  # noqa: PLC0415

    run = tumorscope.demo(out=out, progress=terminal_progress(quiet=quiet))
    show_run(run)
    show()
    show("These are synthetic slices: the score says nothing about real ones.")
    show("On your own data:  tumorscope train FOLDER")
    open_report(run.folder / "report.html", wanted=open_page)


@app.command()
def train(
    data: Data,
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FIELD=VALUE]...", help="Fields of the recipe to change."),
    ] = None,
    recipe: Annotated[str, typer.Option(help="A recipe's name, or a YAML file.")] = cast(
        "str", TrainOptions.recipe
    ),
    out: Annotated[
        str | None,
        typer.Option(help="The run's folder.", show_default="runs/<data>-<recipe>-<n>"),
    ] = None,
    partition: Annotated[
        str | None,
        typer.Option(help="A file of 'tumorscope split'.", show_default="drawn by group"),
    ] = None,
    keep_test: KeepTest = False,
    published_split: Annotated[
        bool, typer.Option("--published-split", help="Use the published split, leaks included.")
    ] = False,
    published_validation: Annotated[
        bool,
        typer.Option(
            "--published-validation", help="Use a published train and val; draw the test part."
        ),
    ] = False,
    test_fold: Annotated[int | None, typer.Option(help="The fold to test on.")] = None,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")
    ] = TrainOptions.device,
    devices: Annotated[
        int, typer.Option(min=1, help="Processes on each machine.")
    ] = TrainOptions.devices,
    nodes: Annotated[
        int, typer.Option(min=1, help="Machines, each with torchrun.")
    ] = TrainOptions.nodes,
    logger: Annotated[
        list[str] | None,
        typer.Option(help="In addition to metrics.csv: tensorboard, mlflow.", show_default="none"),
    ] = None,
    figures: Figures = None,
    seeds: Annotated[
        int | None, typer.Option(help="Number of seeds, from --seed on.", show_default="1")
    ] = None,
    folds: Annotated[
        int | None, typer.Option(help="Number of folds to cross-validate on.", show_default="none")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all random numbers.")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first file that cannot be read.")
    ] = False,
    classes_from: ClassesFrom = "auto",
    ignore: Ignore = None,
    part: PartNames = None,
    column: ColumnNames = None,
    patient_folders: PatientFolders = True,
    name_patients: NamePatients = None,
    plane: InPlane = PlaneName.auto,
    keep_identifiers: KeepIdentifiers = False,
    copies: Copies = True,
    apart: Apart = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run that is in --out.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue a run that was stopped.")
    ] = False,
    open_page: OpenPage = False,
    quiet: Quietly = False,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Train a classifier and go all the way to its report."""
    import tumorscope  # noqa: PLC0415
    from tumorscope.cli.show import show_folds, show_run, show_series  # noqa: PLC0415
    from tumorscope.support.terminal import open_report, show, terminal_progress  # noqa: PLC0415

    overrides = [*(settings or []), *([] if seed is None else [f"seed={seed}"])]
    _refuse_mistakes(Path(data), recipe, overrides)
    several = seeds is not None or folds is not None
    if devices > 1 and nodes == 1 and "WORLD_SIZE" not in os.environ and not several:
        _launch(devices)
    leads = os.environ.get("RANK", "0") == "0"
    options: dict[str, Any] = dict(  # noqa: C408 (reads as the call it is)
        data=data,
        recipe=recipe,
        overrides=overrides,
        out=out,
        partition=partition,
        keep_test=keep_test,
        published_split=published_split,
        published_validation=published_validation,
        test_fold=test_fold,
        device=device,
        devices=devices,
        nodes=nodes,
        loggers=tuple(logger or ()),
        figures=tuple(figures or ()),
        strict=strict,
        layout=layout_options(
            classes_from,
            ignore,
            part,
            column,
            patient_folders,
            name_patients,
            plane,
            keep_identifiers,
        ),
        grouping=grouping_rules(apart, copies=copies),
        overwrite=overwrite,
        resume=resume,
        progress=terminal_progress(quiet=quiet or not leads),
    )
    if seeds is not None and folds is not None:
        raise UsageError("--seeds and --folds exclude each other: choose one.")
    if seeds is not None:
        series = tumorscope.train_seeds(seeds=seeds, **options)
        show(series.summary.model_dump_json(indent=2)) if as_json else show_series(series)
        return
    if folds is not None:
        made = tumorscope.train_folds(folds=folds, **options)
        show(made.summary.model_dump_json(indent=2)) if as_json else show_folds(made)
        open_report(made.folder / "report.html", wanted=open_page)
        return
    run = tumorscope.train(**options)
    if not leads:
        return
    if as_json:
        show(run.results.model_dump_json(indent=2))
    else:
        show_run(run)
    open_report(run.folder / "report.html", wanted=open_page)


def _refuse_mistakes(data: Path, recipe: str, overrides: list[str]) -> None:
    """Refuse a mistyped path or recipe at once, before the seconds that PyTorch takes to load."""
    from tumorscope.data.layouts import refuse_missing  # noqa: PLC0415
    from tumorscope.schema.recipe import load_recipe  # noqa: PLC0415

    refuse_missing(data)
    load_recipe(recipe, overrides)


def _launch(devices: int) -> None:
    """Run this command in several processes, and end with their exit code."""
    from tumorscope.support.extras import require_extra  # noqa: PLC0415

    require_extra("train", "tumorscope train")
    from tumorscope.cli.launch import launch  # noqa: PLC0415 (needs PyTorch)

    raise typer.Exit(launch(sys.argv[1:], devices))


@app.command()
def recipes(
    name: Annotated[str | None, typer.Argument(help="The recipe to print in full.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FIELD=VALUE]...", help="Fields of the recipe to change."),
    ] = None,
    summary: Annotated[
        bool,
        typer.Option("--summary", help="Show its layers and what each stage trains."),
    ] = False,
    classes: Annotated[int, typer.Option(min=2, help="Classes, for the summary.")] = 4,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """List the recipes, or print one in full."""
    from tumorscope.schema.recipe import (  # noqa: PLC0415
        dump_recipe,
        load_recipe,
        recipe_names,
        recipe_text,
    )
    from tumorscope.support.terminal import show, show_table  # noqa: PLC0415

    if name is not None:
        recipe = load_recipe(name, settings or ())
        if summary:
            _summarize(recipe, classes, as_json=as_json)
        elif as_json:
            show(recipe.model_dump_json(indent=2))
        else:
            show(dump_recipe(recipe) if settings else recipe_text(name).rstrip())
        return
    if summary:
        raise UsageError("--summary is of one recipe: tumorscope recipes NAME --summary.")
    found_all = [load_recipe(each) for each in recipe_names()]
    if as_json:
        show(json.dumps([r.model_dump(mode="json") for r in found_all], indent=2))
        return
    show_table(("recipe", "what it is"), [(r.name, r.summary) for r in found_all])
    show("\nDetails:      tumorscope recipes NAME")
    show("Its network:  tumorscope recipes NAME --summary")
    show("Train:        tumorscope train FOLDER --recipe NAME")


def _summarize(recipe: "Recipe", classes: int, *, as_json: bool) -> None:
    """Show the layers of a recipe's network and what each stage trains."""
    from tumorscope.support.extras import require_extra  # noqa: PLC0415

    require_extra("train", "tumorscope recipes --summary")
    from tumorscope.cli.show import show_model  # noqa: PLC0415
    from tumorscope.model import summarize_model  # noqa: PLC0415 (needs PyTorch)
    from tumorscope.support.terminal import show  # noqa: PLC0415

    found = summarize_model(recipe, classes)
    if as_json:
        show(json.dumps(asdict(found), indent=2))
    else:
        show_model(found)
