"""Verbs that judge models and list them: evaluate, review, compare, runs."""

import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tumorscope.cli.app import app
from tumorscope.cli.options import (
    AsJson,
    ClassesFrom,
    ColumnNames,
    Debug,
    Figures,
    Ignore,
    InPlane,
    KeepIdentifiers,
    NamePatients,
    OpenPage,
    PartNames,
    PatientFolders,
    PlaneName,
    Quietly,
    layout_options,
    pairs,
)

if TYPE_CHECKING:
    from tumorscope.schema.comparison import RunPair
    from tumorscope.schema.scores import Score

REVIEWED = 20  # rows that are shown


@app.command()
def evaluate(
    run: Annotated[str, typer.Argument(help="The folder of a run.")],
    data: Annotated[
        str | None,
        typer.Option(help="Another data set to test on, or where its own is now."),
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL=SET",
            help="For another set, which class is which; repeat it for several.",
        ),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Also break scores down by this manifest column."),
    ] = None,
    prevalence: Annotated[
        list[str] | None,
        typer.Option(metavar="CLASS=SHARE", help="Prevalence where it is used, for PPV and NPV."),
    ] = None,
    robustness: Annotated[
        bool, typer.Option("--robustness", help="Also score changed images (40 times the work).")
    ] = False,
    figures: Figures = None,
    classes_from: ClassesFrom = "auto",
    ignore: Ignore = None,
    part: PartNames = None,
    column: ColumnNames = None,
    patient_folders: PatientFolders = True,
    name_patients: NamePatients = None,
    plane: InPlane = PlaneName.auto,
    keep_identifiers: KeepIdentifiers = False,
    open_page: OpenPage = False,
    quiet: Quietly = False,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Score a run again from its bundle, on its test part or on other data."""
    import tumorscope  # noqa: PLC0415
    from tumorscope.cli.show import show_results  # noqa: PLC0415
    from tumorscope.support.terminal import open_report, show, terminal_progress  # noqa: PLC0415

    results = tumorscope.evaluate(
        run=run,
        data=data,
        classes=_several(pairs(classes, "--classes")),
        by=by or (),
        prevalence=_shares(pairs(prevalence, "--prevalence")),
        robustness=robustness,
        figures=figures or (),
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
        progress=terminal_progress(quiet=quiet),
    )
    folder = Path(run)
    if results.split.method == "external" and data is not None:
        from tumorscope.runs.external import external_folder  # noqa: PLC0415

        folder = external_folder(folder, Path(data))
    if as_json:
        show(results.model_dump_json(indent=2))
    else:
        show_results(results)
        show(f"\nReport:  {folder / 'report.html'}")
    open_report(folder / "report.html", wanted=open_page)


def _several(given: list[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the labels of each class that has any."""
    return {own: [label for name, label in given if name == own] for own, _ in given}


def _shares(given: list[tuple[str, str]]) -> dict[str, float]:
    """Return the share of each class."""
    from tumorscope.errors import UsageError  # noqa: PLC0415

    shares: dict[str, float] = {}
    for name, text in given:
        if name in shares:
            raise UsageError(f"--prevalence gives {name} twice: give it once.")
        try:
            shares[name] = float(text)
        except ValueError:
            raise UsageError(f"--prevalence takes shares such as 0.3, not '{text}'.") from None
    return shares


@app.command()
def review(
    run: Annotated[str, typer.Argument(help="A folder of 'train --folds', or of one run.")],
    quiet: Quietly = False,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """List the images whose label someone should look at again."""
    import tumorscope  # noqa: PLC0415
    from tumorscope.support.terminal import (  # noqa: PLC0415
        show,
        show_table,
        show_text,
        terminal_progress,
    )

    reviewed = tumorscope.review(run=run, progress=terminal_progress(quiet=quiet))
    if as_json:
        show(json.dumps([asdict(row) for row in reviewed.rows], indent=2, ensure_ascii=False))
        return
    show_table(
        ("", "image", "label", "model says", "quality"),
        [
            (str(n), row.image, row.label, row.suggested, f"{row.quality:.3f}")
            for n, row in enumerate(reviewed.rows[:REVIEWED], 1)
        ],
    )
    disputed = sum(row.disputed for row in reviewed.rows)
    show(f"\n{disputed} of {len(reviewed.rows)} labels are disputed.")
    if not reviewed.out_of_fold:
        show_text(
            "These are one run's test images: 'tumorscope train --folds 5' covers every image."
        )
    show(f"\nAll:      {reviewed.table}\nPicture:  {reviewed.sheet}")
    show(f"One by one, on a page: tumorscope serve --review {shlex.quote(run)}")


@app.command()
def compare(
    runs: Annotated[list[str], typer.Argument(help="Folders of finished runs.")],
    out: Annotated[str, typer.Option(help="The figure to write.")] = "comparison.png",
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Put runs side by side: scores, paired tests, curves in one figure."""
    import tumorscope  # noqa: PLC0415
    from tumorscope.schema.wording import compact, share  # noqa: PLC0415
    from tumorscope.support.terminal import show, show_table, show_text  # noqa: PLC0415

    made = tumorscope.compare(runs=runs, out=out)
    if as_json:
        show(made.numbers.model_dump_json(indent=2))
        return
    rows = [
        (
            str(n),
            *map(compact, (run.accuracy, run.balanced_accuracy, run.macro_f1)),
            share(run.majority),
        )
        for n, run in enumerate(made.numbers.runs, 1)
    ]
    show_table(("run", "accuracy", "balanced accuracy", "macro F1", "majority"), rows)
    show_text("95 % intervals over groups in brackets; majority: always the most frequent class.")
    for number, run in enumerate(made.numbers.runs, 1):
        leaks = f"; {run.leaks} test images are not new to it" if run.leaks else ""
        show_text(f"{number}: {run.recipe} on {run.images} images, {run.run}{leaks}", hang="   ")
    show()
    numbers = {run.run: number for number, run in enumerate(made.numbers.runs, 1)}
    for pair in made.numbers.pairs:
        show_text(f"{numbers[pair.second]} against {numbers[pair.first]}: {_pair_sentence(pair)}")
    show(f"\nFigure:  {made.figure}")


def _pair_sentence(pair: "RunPair") -> str:
    from tumorscope.schema.scores import Score  # noqa: PLC0415
    from tumorscope.schema.wording import points  # noqa: PLC0415

    aside = ""
    if pair.other_content:
        aside = f" {pair.other_content} images have one name and other contents: not compared."
    if pair.gain is None or pair.p_value is None:
        return f"they have no test image in common.{aside}"
    gain = Score(value=pair.gain, low=pair.low, high=pair.high, n=pair.images)
    chance = "p < 0.001" if pair.p_value < 0.001 else f"p = {pair.p_value:.3f}"
    return f"accuracy {points(gain)} on {pair.images} images, {chance}.{aside}"


@app.command()
def runs(
    folder: Annotated[str, typer.Argument(help="The folder that holds the runs.")] = "runs",
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """List what was trained: data, recipe, accuracy with its interval, date."""
    import tumorscope  # noqa: PLC0415
    from tumorscope.schema.wording import compact  # noqa: PLC0415
    from tumorscope.support.terminal import show, show_table, show_text  # noqa: PLC0415

    listed = tumorscope.list_runs(folder)
    if as_json:
        values = [
            asdict(run) | {"folder": str(run.folder), "accuracy": _as_dict(run.accuracy)}
            for run in listed
        ]
        show(json.dumps(values, indent=2))
        return
    if not listed:
        show(f"{folder} holds no run yet: 'tumorscope train DATA' makes one.")
        return
    rows = [
        (
            str(number),
            run.data,
            run.recipe,
            run.kind,
            compact(run.accuracy) if run.accuracy else run.state,
            run.started[:10],
        )
        for number, run in enumerate(listed, 1)
    ]
    show_table(("run", "data", "recipe", "kind", "accuracy", "started"), rows)
    for number, run in enumerate(listed, 1):
        show_text(f"{number}: {run.folder}", hang="   ")


def _as_dict(score: "Score | None") -> dict[str, object] | None:
    return None if score is None else score.model_dump()
