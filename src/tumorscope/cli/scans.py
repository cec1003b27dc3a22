"""Verbs about files of a scanner: deidentify."""

import json
from enum import StrEnum
from typing import Annotated

import typer

from tumorscope.cli.app import app
from tumorscope.cli.options import AsJson, Debug, Quietly
from tumorscope.errors import UsageError


class DatesName(StrEnum):
    """What becomes of dates."""

    shift = "shift"
    remove = "remove"


@app.command()
def deidentify(
    data: Annotated[str, typer.Argument(metavar="IN", help="A folder of DICOM files, or one.")],
    out: Annotated[str, typer.Argument(metavar="OUT", help="A new folder.")],
    dates: Annotated[
        DatesName,
        typer.Option(help="shift: by as many days for all of a patient. remove: all of them."),
    ] = DatesName.shift,
    descriptions: Annotated[
        bool,
        typer.Option(
            "--descriptions", help="Keep plain words of descriptions, such as T1 and AXIAL."
        ),
    ] = False,
    blank: Annotated[
        list[str] | None,
        typer.Option(
            help="LEFT,TOP,RIGHT,BOTTOM: blank these pixels of every image; again for more."
        ),
    ] = None,
    text_is_fine: Annotated[
        bool,
        typer.Option("--text-is-fine", help="Take images that seem to have text in their pixels."),
    ] = False,
    quiet: Quietly = False,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Copy DICOM images with identifying information removed."""
    import tumorscope  # noqa: PLC0415
    from tumorscope.data.scans.profile import DeidentifyOptions  # noqa: PLC0415
    from tumorscope.support.terminal import (  # noqa: PLC0415
        show,
        show_table,
        show_text,
        terminal_progress,
    )

    made = tumorscope.deidentify(
        data,
        out,
        options=DeidentifyOptions(
            dates="shift" if dates is DatesName.shift else "remove",
            descriptions=descriptions,
            blank=tuple(map(_region, blank or ())),
            text_is_fine=text_is_fine,
        ),
        progress=terminal_progress(quiet=quiet),
    )
    if as_json:
        actions = [[name, done, count] for (name, done), count in sorted(made.actions.items())]
        left_out = [[file.image, file.reason] for file in made.left_out]
        show(json.dumps({"images": made.images, "actions": actions, "left_out": left_out}))
        return
    show_text(f"{made.images} {'image' if made.images == 1 else 'images'}: {made.folder}")
    if made.left_out:
        show_table(("not taken", "why"), [(file.image, file.reason) for file in made.left_out[:20]])
        if len(made.left_out) > 20:
            show(f"… and {len(made.left_out) - 20} more; --json names them.")
    show_text(
        "What became of each kind of element is in deidentification.csv. Look at some images "
        "before you pass them on: no program can promise that none shows whose it is."
    )


def _region(text: str) -> tuple[int, int, int, int]:
    """Read a rectangle.

    Raises:
        UsageError: it is none.
    """
    try:
        left, top, right, bottom = map(int, text.split(","))
    except ValueError:
        left = top = right = bottom = 0
    if not (0 <= left < right and 0 <= top < bottom):
        raise UsageError(
            f"--blank {text}: give LEFT,TOP,RIGHT,BOTTOM in pixels, such as 0,0,512,40."
        )
    return left, top, right, bottom
