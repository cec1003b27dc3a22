"""The verb explain."""

import json
from pathlib import Path
from typing import Annotated

import typer

from tumorscope.cli.app import app
from tumorscope.cli.options import AsJson, Debug, Quietly
from tumorscope.errors import UsageError


@app.command()
def explain(
    bundle: Annotated[str, typer.Argument(help="A run, its bundle, its zip, or a model's name.")],
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT", help="Files, folders or patterns of images.")
    ],
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="gradcam, gradcam++, layercam, hirescam, eigencam, attention, "
            "integrated-gradients, occlusion or rise; repeatable.",
            show_default="layercam, or occlusion without PyTorch",
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option("--class", help="The class to explain.", show_default="the most probable"),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="The folder of the pictures and maps; written over.")
    ] = Path("explanations"),
    svg: Annotated[bool, typer.Option("--svg", help="Write the pictures as SVG, too.")] = False,
    quiet: Quietly = False,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Show which places of an image an answer rests on."""
    import numpy as np  # noqa: PLC0415

    from tumorscope.errors import UnreadableImage  # noqa: PLC0415
    from tumorscope.explanation.explain import Explainer  # noqa: PLC0415
    from tumorscope.explanation.overlay import draw_explanation, svg_explanation  # noqa: PLC0415
    from tumorscope.inference.bundle import open_bundle  # noqa: PLC0415
    from tumorscope.inference.inputs import list_inputs  # noqa: PLC0415
    from tumorscope.support.files import explained, replacing, write_text  # noqa: PLC0415
    from tumorscope.support.terminal import show, show_table, terminal_progress  # noqa: PLC0415

    explainer = Explainer(open_bundle(bundle))
    names = list(list_inputs(inputs))
    if not names:
        raise UsageError(f"There are no files in {', '.join(inputs)}: give images.")
    with explained(out):
        out.mkdir(parents=True, exist_ok=True)
    rows, failed = [], 0
    with terminal_progress(quiet=quiet).task("explaining", len(names)) as task:
        for number, name in enumerate(names, 1):
            try:
                found = explainer(name, method or (), label)
            except UnreadableImage as error:
                rows.append((name, "error", "", str(error)))
                failed += 1
            else:
                stem = out / f"{number:04d}-{Path(name).stem}"
                with replacing(stem.with_suffix(".png")) as temporary:
                    draw_explanation(found).save(temporary, "PNG")
                if svg:
                    write_text(stem.with_suffix(".svg"), svg_explanation(found))
                for kind, own in found.maps.items():
                    path = Path(f"{stem}-{kind}.npy")
                    with replacing(path) as temporary, temporary.open("wb") as file:
                        np.save(file, own, allow_pickle=False)
                chance = found.prediction.probabilities[found.label]
                note = "" if found.prediction.accepted else found.prediction.reason
                rows.append((name, found.label, f"{chance:.3f}", note))
            task.advance(1)
    if as_json:
        keys = ("input", "class", "probability", "note")
        show(json.dumps([dict(zip(keys, row, strict=True)) for row in rows]))
    else:
        show_table(("input", "class", "probability", "note"), rows)
    typer.echo(f"Pictures and maps: {out}", err=True)
    if failed:
        raise typer.Exit(1)
