"""Options that several verbs share."""

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from tumorscope.errors import UsageError
from tumorscope.schema.grouping import GroupingRules, read_pairs
from tumorscope.schema.layout import LayoutOptions

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


ClassesFrom = Annotated[
    str,
    typer.Option(
        "--classes-from",
        "--labels-from",
        help="Where classes stand: auto, folders (each a class), names (of files).",
    ),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option(metavar="FOLDER", help="Leave a folder out, by name or path; repeatable."),
]
PartNames = Annotated[
    list[str] | None,
    typer.Option("--part", metavar="NAME=PART", help="A folder or value is a part; repeatable."),
]
ColumnNames = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="MEANING=NAME", help="A table's column; repeatable."),
]
PatientFolders = Annotated[
    bool, typer.Option(help="Folders inside of a class's are patients.", show_default=True)
]
NamePatients = Annotated[
    bool | None,
    typer.Option(
        "--name-patients/--no-name-patients",
        help="File names name patients.",
        show_default="where beyond doubt",
    ),
]


class PlaneName(StrEnum):
    """In which plane volumes are sliced."""

    auto = "auto"
    axial = "axial"
    coronal = "coronal"
    sagittal = "sagittal"


InPlane = Annotated[
    PlaneName,
    typer.Option("--plane", help="How volumes are sliced; auto: across the coarsest axis."),
]
KeepIdentifiers = Annotated[
    bool,
    typer.Option("--keep-identifiers", help="Name patients of DICOM headers as they are."),
]


def layout_options(
    classes_from: str,
    ignore: Sequence[str] | None,
    parts: Sequence[str] | None,
    columns: Sequence[str] | None,
    patient_folders: bool,
    name_patients: bool | None,
    plane: PlaneName,
    keep_identifiers: bool,
) -> LayoutOptions:
    """Return what the user says of a layout.

    Raises:
        UsageError: a word is none of those that can be given.
    """
    if classes_from not in ("auto", "folders", "names"):
        raise UsageError(f"--classes-from {classes_from}: choose auto, folders or names.")
    named = dict(pairs(parts, "--part"))
    for name, part in named.items():
        if part not in ("train", "validation", "test"):
            raise UsageError(f"--part {name}={part}: the part is train, validation or test.")
    return LayoutOptions(
        classes_from=cast("Any", classes_from),
        ignore=tuple(ignore or ()),
        parts=cast("Any", named),
        columns=dict(pairs(columns, "--column")),
        patient_folders=patient_folders,
        name_patients=name_patients,
        plane=cast("Any", plane.value),
        keep_identifiers=keep_identifiers,
    )


Copies = Annotated[bool, typer.Option(help="Keep copies together.")]
Apart = Annotated[
    Path | None,
    typer.Option(metavar="CSV", help="Pairs that are no copies, from an audit's copies.csv."),
]


def grouping_rules(apart: Path | None, **rules: bool) -> GroupingRules:
    """Return what the user says of which images belong together.

    Raises:
        UsageError: the list of pairs cannot be read.
    """
    return GroupingRules(**rules, apart=read_pairs(apart) if apart else ())


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
