"""Verbs that look at data: audit, split, layouts, lineage, datasets."""

import json
from pathlib import Path
from typing import Annotated

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
from tumorscope.errors import TumorscopeError


@app.command()
def audit(
    data: Data,
    out: Annotated[
        str | None, typer.Option(help="Where to write.", show_default="audits/<data>")
    ] = None,
    fail_on: Annotated[
        str | None, typer.Option(help="Exit with 1 on a finding this severe: warning or error.")
    ] = None,
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
    """Look for leaks, copies, wrong labels and shortcuts before anything is trained."""
    import tumorscope  # noqa: PLC0415
    from tumorscope.support.terminal import (  # noqa: PLC0415
        open_report,
        show,
        show_text,
        terminal_progress,
    )

    if fail_on not in (None, "warning", "error"):
        raise TumorscopeError(f"--fail-on {fail_on}: choose warning or error.")
    made = tumorscope.audit(
        data=data,
        out=out,
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
    if as_json:
        show(made.numbers.model_dump_json(indent=2))
    else:
        show_text(made.numbers.look)
        show()
        for finding in made.numbers.findings:
            word = finding.severity if finding.status == "found" else finding.status
            show(f"{finding.code} {word}: {finding.title}")
            show_text(f"    {finding.sentence}", hang="    ")
        show()
        show_text(made.numbers.verdict)
        show(f"\nReport:  {made.folder / 'audit.html'}")
    open_report(made.folder / "audit.html", wanted=open_page)
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
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = 0,
    patients: Annotated[bool, typer.Option(help="Keep a given patient whole.")] = True,
    lineage: Annotated[bool, typer.Option(help="Keep a recovered patient whole.")] = True,
    copies: Copies = True,
    series: Annotated[bool, typer.Option(help="Keep neighbours in a series together.")] = True,
    apart: Apart = None,
    classes_from: ClassesFrom = "auto",
    ignore: Ignore = None,
    part: PartNames = None,
    column: ColumnNames = None,
    patient_folders: PatientFolders = True,
    name_patients: NamePatients = None,
    plane: InPlane = PlaneName.auto,
    keep_identifiers: KeepIdentifiers = False,
    quiet: Quietly = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Divide a data set so that nothing leaks from training into test."""
    import tumorscope  # noqa: PLC0415
    from tumorscope.support.terminal import (  # noqa: PLC0415
        show,
        show_table,
        show_text,
        terminal_progress,
    )

    rules = {"patients": patients, "lineage": lineage, "copies": copies, "series": series}
    made = tumorscope.split(
        data=data,
        out=out,
        folds=folds,
        validation_share=val,
        test_share=test,
        keep_test=keep_test,
        seed=seed,
        grouping=grouping_rules(apart, **rules),
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
    show_text(made.note)
    show_table(("part", "images"), [(name, str(n)) for name, n in made.counts.items()])
    show_text(
        f"{made.groups} groups, none divided; class shares differ by at most "
        f"{made.class_imbalance:.1%}."
    )
    for sentence in made.cautions:
        show_text(f"Note: {sentence}")
    show(f"\nTrain on it:  tumorscope train {data} --partition {made.path}")


@app.command()
def layouts(
    data: Annotated[
        str | None, typer.Argument(help="A folder, a table or an archive.", show_default=False)
    ] = None,
    classes_from: ClassesFrom = "auto",
    ignore: Ignore = None,
    part: PartNames = None,
    column: ColumnNames = None,
    patient_folders: PatientFolders = True,
    name_patients: NamePatients = None,
    plane: InPlane = PlaneName.auto,
    keep_identifiers: KeepIdentifiers = False,
    write: Annotated[
        Path | None, typer.Option(help="Write what was understood as a manifest CSV.")
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Say how a data set is read and what becomes of each file, or list the known layouts."""
    import tumorscope  # noqa: PLC0415
    from tumorscope.cli.show import show_layout  # noqa: PLC0415
    from tumorscope.data.layouts import LAYOUTS  # noqa: PLC0415
    from tumorscope.support.terminal import show, show_table  # noqa: PLC0415

    if data is None:
        show_table(("layout", "what it looks like"), [(own.name, own.form) for own in LAYOUTS])
        return
    found = tumorscope.describe_layout(
        data,
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
        write=write,
    )
    if as_json:
        show(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        show_layout(found)


lineage_app = typer.Typer(help="Tables of known sets, which recover lost patients.")
app.add_typer(lineage_app, name="lineage", no_args_is_help=True)


@lineage_app.command("add")
def lineage_add(
    name: Annotated[str, typer.Argument(help="A name for the set.")],
    manifest: Annotated[str, typer.Argument(help="Its manifest CSV, with patient_id.")],
    quiet: Quietly = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Add a set of your own, so that audits recognise its slices."""
    import tumorscope  # noqa: PLC0415
    from tumorscope.support.terminal import show, terminal_progress  # noqa: PLC0415

    path = tumorscope.add_lineage(name, manifest, progress=terminal_progress(quiet=quiet))
    show(f"Later audits recognise slices of '{name}'. The table: {path}")


datasets_app = typer.Typer(
    help="The public sets that the recipes were made for.", invoke_without_command=True
)
app.add_typer(datasets_app, name="datasets")


@datasets_app.callback()
def datasets(context: typer.Context, as_json: AsJson = False) -> None:
    """List the public sets that the recipes were made for."""
    if context.invoked_subcommand is not None:
        return
    from tumorscope.data.catalogue import known_sets  # noqa: PLC0415
    from tumorscope.support.terminal import show, show_table, show_text  # noqa: PLC0415

    known = known_sets()
    if as_json:
        show(json.dumps([one.model_dump(mode="json") for one in known], indent=2))
        return
    show_table(
        ("set", "images", "classes", "licence"),
        [(one.name, str(one.images), ", ".join(one.classes), one.licence) for one in known],
    )
    for one in known:
        text = f"{one.title} ({one.source}). {one.defects} For {', '.join(one.recipes)}."
        show()
        show_text(f"{one.name}: {text}", hang="    ")
    show("\nGet one:  tumorscope datasets fetch NAME")


@datasets_app.command("fetch")
def datasets_fetch(
    name: Annotated[str, typer.Argument(help="The name of a set in the list.")],
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Bring a set into the user's cache with kagglehub."""
    import tumorscope  # noqa: PLC0415
    from tumorscope.support.terminal import show  # noqa: PLC0415

    folder = tumorscope.fetch_set(name)
    show(f"{folder}\n\nAudit it first:  tumorscope audit {folder}")
