"""Verbs that make and score models: demo, train, evaluate, compare, recipes."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tumorscope.cli.app import app
from tumorscope.cli.options import AsJson, Data, Debug, KeepTest, Quietly

if TYPE_CHECKING:
    from tumorscope.comparison import Pair
    from tumorscope.results import Results, Score
    from tumorscope.several import Series
    from tumorscope.walk import Options, Run


@app.command()
def demo(
    out: Annotated[
        str | None, typer.Option(help="Where to work.", show_default="runs/demo-<n>")
    ] = None,
    quiet: Quietly = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Draw synthetic slices, train on them and write a report (under two minutes)."""
    import tumorscope  # noqa: PLC0415
    from tumorscope.terminal import show, terminal_progress  # noqa: PLC0415

    run = tumorscope.demo(out=out, progress=terminal_progress(quiet=quiet))
    _show_run(run)
    show()
    show("These are synthetic slices: the score says nothing about real ones.")
    show("On your own data:  tumorscope train FOLDER")


@app.command()
def train(
    data: Data,
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FIELD=VALUE]...", help="Fields of the recipe to change."),
    ] = None,
    recipe: Annotated[str, typer.Option(help="A recipe's name, or a YAML file.")] = "resnet18",
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
        bool, typer.Option("--published-split", help="Use the published split, leaks and all.")
    ] = False,
    test_fold: Annotated[int | None, typer.Option(help="The fold to test on.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    devices: Annotated[
        int, typer.Option(min=1, help="Processes that train together, on each machine.")
    ] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="Machines, each with torchrun.")] = 1,
    logger: Annotated[
        list[str] | None,
        typer.Option(help="Beside metrics.csv: tensorboard, mlflow.", show_default="none"),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Train so many, from --seed on.", show_default="1")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Where all randomness comes from.")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first file that cannot be read.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run that is in --out.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped.")
    ] = False,
    quiet: Quietly = False,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Train a classifier and go all the way to its report."""
    import tumorscope  # noqa: PLC0415
    from tumorscope.terminal import show, terminal_progress  # noqa: PLC0415

    if devices > 1 and nodes == 1 and "WORLD_SIZE" not in os.environ and seeds is None:
        _launch(devices)
    leads = os.environ.get("RANK", "0") == "0"
    overrides = [*(settings or []), *([] if seed is None else [f"seed={seed}"])]
    options: Options = dict(  # noqa: C408 (reads as the call it is)
        data=data,
        recipe=recipe,
        overrides=overrides,
        out=out,
        partition=partition,
        keep_test=keep_test,
        published_split=published_split,
        test_fold=test_fold,
        device=device,
        devices=devices,
        nodes=nodes,
        loggers=tuple(logger or ()),
        strict=strict,
        overwrite=overwrite,
        resume=resume,
        progress=terminal_progress(quiet=quiet or not leads),
    )
    if seeds is not None:
        series = tumorscope.train_seeds(seeds=seeds, **options)
        show(series.summary.model_dump_json(indent=2)) if as_json else _show_series(series)
        return
    run = tumorscope.train(**options)
    if not leads:
        return
    if as_json:
        show(run.results.model_dump_json(indent=2))
    else:
        _show_run(run)


def _launch(devices: int) -> None:
    """Run this command in several processes, and end with their exit code."""
    from tumorscope.training import processes  # noqa: PLC0415
    from tumorscope.walk import require_training  # noqa: PLC0415

    require_training("tumorscope train")
    raise typer.Exit(processes.launch(sys.argv[1:], devices))


@app.command()
def evaluate(
    run: Annotated[str, typer.Argument(help="The folder of a training.")],
    data: Annotated[
        str | None, typer.Option(help="Where its data is now, if it was moved.")
    ] = None,
    quiet: Quietly = False,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Score a training again from its bundle and write its report anew."""
    import tumorscope  # noqa: PLC0415
    from tumorscope.terminal import show, terminal_progress  # noqa: PLC0415

    results = tumorscope.evaluate(run=run, data=data, progress=terminal_progress(quiet=quiet))
    if as_json:
        show(results.model_dump_json(indent=2))
    else:
        _show_results(results)
        show(f"\nReport:  {Path(run) / 'report.html'}")


def _show_run(run: "Run") -> None:
    from tumorscope.terminal import show  # noqa: PLC0415

    _show_results(run.results)
    show(f"\nReport:   {run.folder / 'report.html'}")
    show(f"Predict:  tumorscope predict {run.folder} IMAGE …")


def _show_results(results: "Results") -> None:
    from tumorscope.terminal import show, show_table  # noqa: PLC0415

    images = results.images
    show(f"\nOn {images.test} test images ({images.left_out} files left out)")
    if results.leaks:
        show(f"{results.leaks} of them are not new to the model: the split leaks.")
    rows = [
        ("accuracy", _percent(results.accuracy), _interval(results.accuracy)),
        (
            "balanced accuracy",
            _percent(results.balanced_accuracy),
            _interval(results.balanced_accuracy),
        ),
        ("macro F1", _percent(results.macro_f1), _interval(results.macro_f1)),
        ("most frequent class", _percent(results.controls.majority), ""),
    ]
    show_table(("score", "value", "95 % interval"), rows)
    show()
    per_class = [
        (name, str(s.support), _percent(s.precision), _percent(s.recall), _percent(s.f1))
        for name, s in results.per_class.items()
    ]
    show_table(("class", "images", "precision", "recall", "F1"), per_class)


def _percent(score: "Score") -> str:
    return "n/a" if score.value is None else f"{score.value:.1%}"


def _with_interval(score: "Score") -> str:
    if score.low is None or score.high is None:
        return _percent(score)
    return f"{_percent(score)} ({100 * score.low:.1f}–{100 * score.high:.1f})"


def _interval(score: "Score") -> str:
    if score.low is None or score.high is None:
        return ""
    return f"{score.low:.1%} to {score.high:.1%}"


def _show_series(series: "Series") -> None:
    from tumorscope.terminal import show, show_table  # noqa: PLC0415

    summary = series.summary
    show(f"\nOn {summary.images} test images, {len(summary.seeds)} seeds")
    rows = [
        (
            name.replace("_", " "),
            f"{spread.mean:.1%}",
            f"{spread.low:.1%} to {spread.high:.1%}",
            f"{spread.standard_deviation:.1%}",
            " ".join(f"{value:.1%}" for value in spread.values),
        )
        for name, spread in summary.scores.items()
    ]
    rows.append(("most frequent class", _percent(summary.majority), "", "", ""))
    show_table(("score", "mean", "95 % interval", "SD", "each seed"), rows)
    show("The interval covers chance in training alone, not which patients were tested.")
    show(f"\nRuns:  {series.folder}")


@app.command()
def compare(
    runs: Annotated[list[str], typer.Argument(help="Folders of finished trainings.")],
    out: Annotated[str, typer.Option(help="The figure to write.")] = "comparison.png",
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Put trainings side by side: scores, paired tests, curves in one figure."""
    import tumorscope  # noqa: PLC0415
    from tumorscope.terminal import show, show_table  # noqa: PLC0415

    made = tumorscope.compare(runs=runs, out=out)
    if as_json:
        show(made.numbers.model_dump_json(indent=2))
        return
    rows = [
        (
            str(n),
            *map(_with_interval, (run.accuracy, run.balanced_accuracy, run.macro_f1)),
            _percent(run.majority),
        )
        for n, run in enumerate(made.numbers.runs, 1)
    ]
    show_table(("run", "accuracy", "balanced accuracy", "macro F1", "majority"), rows)
    show("In brackets 95 % intervals over groups; majority: always the most frequent class.")
    for number, run in enumerate(made.numbers.runs, 1):
        leaks = f"; {run.leaks} test images are not new to it" if run.leaks else ""
        show(f"{number}: {run.recipe} on {run.images} images, {run.run}{leaks}")
    show()
    place = {run.run: number for number, run in enumerate(made.numbers.runs, 1)}
    for pair in made.numbers.pairs:
        show(f"{place[pair.second]} against {place[pair.first]}: {_pair_sentence(pair)}")
    show(f"\nCurves:  {made.figure}")


def _pair_sentence(pair: "Pair") -> str:
    if pair.gain is None or pair.p_value is None:
        return "they were tested on no image in common."
    ends = f" ({pair.low:+.1%} to {pair.high:+.1%})" if pair.low is not None else ""
    chance = "p < 0.001" if pair.p_value < 0.001 else f"p = {pair.p_value:.3f}"
    return f"{pair.gain:+.1%}{ends} accuracy on {pair.images} images, McNemar {chance}."


@app.command()
def recipes(
    name: Annotated[str | None, typer.Argument(help="The one to print in full.")] = None,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """List the recipes, or print one in full."""
    from tumorscope.recipe import load_recipe, recipe_names, recipe_text  # noqa: PLC0415
    from tumorscope.terminal import show, show_table  # noqa: PLC0415

    if name is not None:
        found = load_recipe(name)
        show(found.model_dump_json(indent=2) if as_json else recipe_text(name).rstrip())
        return
    found_all = [load_recipe(each) for each in recipe_names()]
    if as_json:
        show(json.dumps([r.model_dump(mode="json") for r in found_all], indent=2))
        return
    show_table(("recipe", "what it is"), [(r.name, r.summary) for r in found_all])
    show("\nOne in full:  tumorscope recipes NAME")
    show("Train:        tumorscope train FOLDER --recipe NAME")
