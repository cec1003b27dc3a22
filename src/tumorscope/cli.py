"""The command line: parse, call, print. Whatever takes long to import is imported in commands."""

import json
import os
import sys
import traceback
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tumorscope._version import __version__
from tumorscope.errors import TumorscopeError

if TYPE_CHECKING:
    from tumorscope.records import Prediction
    from tumorscope.results import Results, Score
    from tumorscope.walk import Run

WALK = "read → store → audit → split → train → bundle → evaluate → predict"

app = typer.Typer(
    name="tumorscope",
    help="Brain-tumour classification on MRI slices, with numbers that can be believed.\n\n"
    f"The walk of the data: {WALK}\n\n"
    "Research software, not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

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
def audit(
    data: Data,
    out: Annotated[
        str | None, typer.Option(help="Where to write.", show_default="audits/<data>")
    ] = None,
    fail_on: Annotated[
        str | None, typer.Option(help="Exit with 1 on a finding this severe: warning or error.")
    ] = None,
    quiet: Quietly = False,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Look for leaks, copies, wrong labels and shortcuts before anything is trained."""
    import tumorscope  # noqa: PLC0415
    from tumorscope.terminal import show, terminal_progress  # noqa: PLC0415

    if fail_on not in (None, "warning", "error"):
        raise TumorscopeError(f"--fail-on {fail_on}: choose warning or error.")
    made = tumorscope.audit(data=data, out=out, progress=terminal_progress(quiet=quiet))
    if as_json:
        show(made.numbers.model_dump_json(indent=2))
    else:
        for finding in made.numbers.findings:
            word = finding.severity if finding.status == "found" else finding.status
            show(f"{finding.code} {word}: {finding.title}\n    {finding.sentence}")
        show(f"\nReport:  {made.folder / 'audit.html'}")
    levels = {"warning": ("warning", "error"), "error": ("error",)}
    if fail_on and made.numbers.worst() in levels[fail_on]:
        raise typer.Exit(1)


@app.command()
def split(
    data: Data,
    out: Annotated[str, typer.Option(help="The partition file to write.")] = "partition.csv",
    folds: Annotated[int | None, typer.Option(help="Draw folds instead of parts.")] = None,
    val: Annotated[float, typer.Option(help="Share of the validation part.")] = 0.15,
    test: Annotated[float, typer.Option(help="Share of the test part.")] = 0.15,
    keep_test: KeepTest = False,
    seed: Annotated[int, typer.Option(help="Where all randomness comes from.")] = 0,
    patients: Annotated[bool, typer.Option(help="Keep a given patient whole.")] = True,
    lineage: Annotated[bool, typer.Option(help="Keep a recovered patient whole.")] = True,
    copies: Annotated[bool, typer.Option(help="Keep copies together.")] = True,
    series: Annotated[bool, typer.Option(help="Keep neighbours in a series together.")] = True,
    quiet: Quietly = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Divide a data set so that nothing leaks from training into test."""
    import tumorscope  # noqa: PLC0415
    from tumorscope.terminal import show, show_table, terminal_progress  # noqa: PLC0415

    off = {"patients": patients, "lineage": lineage, "copies": copies, "series": series}
    made = tumorscope.split(
        data=data,
        out=out,
        folds=folds,
        validation_share=val,
        test_share=test,
        keep_test=keep_test,
        seed=seed,
        switched_off=[name for name, on in off.items() if not on],
        progress=terminal_progress(quiet=quiet),
    )
    show(made.note)
    show_table(("part", "images"), [(name, str(n)) for name, n in made.counts.items()])
    show(f"{made.groups} groups, none divided; class shares stray by at most {made.stray:.1%}.")
    show(f"\nTrain on it:  tumorscope train {data} --partition {made.path}")


lineage_app = typer.Typer(help="Tables of known sets, which recover lost patients.")
app.add_typer(lineage_app, name="lineage", no_args_is_help=True)


@lineage_app.command("add")
def lineage_add(
    name: Annotated[str, typer.Argument(help="How to call the set.")],
    manifest: Annotated[str, typer.Argument(help="Its manifest CSV, with patient_id.")],
    quiet: Quietly = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Add a set of your own, so that audits recognise its slices."""
    import tumorscope  # noqa: PLC0415
    from tumorscope.terminal import show, terminal_progress  # noqa: PLC0415

    path = tumorscope.add_lineage(name, manifest, progress=terminal_progress(quiet=quiet))
    show(f"Later audits recognise slices of '{name}'. The table: {path}")


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

    overrides = [*(settings or []), *([] if seed is None else [f"seed={seed}"])]
    run = tumorscope.train(
        data=data,
        recipe=recipe,
        overrides=overrides,
        out=out,
        partition=partition,
        keep_test=keep_test,
        published_split=published_split,
        test_fold=test_fold,
        device=device,
        strict=strict,
        overwrite=overwrite,
        resume=resume,
        progress=terminal_progress(quiet=quiet),
    )
    if as_json:
        show(run.results.model_dump_json(indent=2))
    else:
        _show_run(run)


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


@app.command()
def predict(
    bundle: Annotated[str, typer.Argument(help="A run, or its bundle.")],
    images: Annotated[list[str], typer.Argument(help="Image files or folders of them.")],
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Classify images: the class and the probability of each class."""
    from tumorscope.predict import Predictor, list_inputs  # noqa: PLC0415
    from tumorscope.terminal import show, show_table  # noqa: PLC0415

    predictor = Predictor.load(bundle)
    answers = list(predictor.predict_files(list_inputs(images)))
    if not answers:
        raise TumorscopeError(f"There are no files in {', '.join(images)}: give images.")
    if as_json:
        show(json.dumps([asdict(answer) for answer in answers], indent=2, ensure_ascii=False))
    else:
        classes = predictor.card.classes
        show_table(
            ("image", "class", *classes), [_answer_row(answer, classes) for answer in answers]
        )
    failed = sum(answer.error is not None for answer in answers)
    if failed:
        typer.echo(f"{failed} of {len(answers)} files could not be read.", err=True)
        raise typer.Exit(1)


def _answer_row(answer: "Prediction", classes: tuple[str, ...]) -> tuple[str, ...]:
    if answer.error is not None:
        return (answer.image, f"error: {answer.error}", *("" for _ in classes))
    values = (f"{answer.probabilities[name]:.3f}" for name in classes)
    return (answer.image, answer.label, *values)


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
        ("accuracy", _percent(results.accuracy)),
        ("balanced accuracy", _percent(results.balanced_accuracy)),
        ("macro F1", _percent(results.macro_f1)),
        ("most frequent class", _percent(results.controls.majority)),
    ]
    show_table(("score", "value"), rows)
    show()
    per_class = [
        (name, str(s.support), _percent(s.precision), _percent(s.recall), _percent(s.f1))
        for name, s in results.per_class.items()
    ]
    show_table(("class", "images", "precision", "recall", "F1"), per_class)


def _percent(score: "Score") -> str:
    return "n/a" if score.value is None else f"{score.value:.1%}"


def main() -> None:
    """Run the command line: a user's mistake ends in one sentence and exit code 2."""
    warnings.filterwarnings("ignore", module="PIL")  # odd metadata; the pixels decide
    try:
        app()
    except TumorscopeError as error:
        _end(error, str(error), error.exit_code)
    except KeyboardInterrupt as error:
        _end(error, "Stopped.", 130)
    except MemoryError as error:
        _end(error, "Out of memory: lower image_size or batch_size.", 2)
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _end(error: BaseException, sentence: str, exit_code: int) -> None:
    if os.environ.get("TUMORSCOPE_DEBUG"):
        traceback.print_exception(error)
    typer.echo(f"tumorscope: {sentence}", err=True)
    sys.exit(exit_code)
