"""Write a run's model in another form, held against the original first."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tumorscope.errors import UsageError
from tumorscope.support.extras import require_extra
from tumorscope.support.files import refuse_unwritable
from tumorscope.support.progress import Progress, default_progress

if TYPE_CHECKING:
    from tumorscope.schema.card import Card, Precision

Target = Literal["onnx", "openvino"]

NEEDED = {"openvino": "openvino", "int8": "quantize"}  # the extra of a target or a precision


@dataclass(frozen=True)
class Exported:
    """A model in another form.

    Attributes:
        folder: the bundle.
        zip: the same as one file.
        card: what it is; `card.conversion` holds the comparison with the original.
    """

    folder: Path
    zip: Path
    card: "Card"


def export_run(
    run: str | Path,
    *,
    to: Target = "onnx",
    precision: "Precision" = "fp32",
    data: str | Path | None = None,
    out: str | Path | None = None,
    licence: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write the model of a run as a bundle for a runtime and in a precision, and the zip of it.

    The export answers the run's validation images and is held against the original: `fp32` must
    give the same classes and probabilities within 1e-4, `fp16` the same class wherever the two best
    are more than 0.02 apart. `int8` must be faster here, and the 95 % interval of the accuracy it
    loses must end below half a point. What fails is not written.

    Args:
        run: the run's folder.
        to: `onnx` or `openvino`.
        precision: `fp32`; `fp16` for half the size; `int8` for speed.
        data: where the run's data is now, if it was moved.
        out: the bundle's folder; `exports/<to>-<precision>` in the run's unless given.
        licence: under which the model may be used, for its card.
        force: keep `int8` that fails; its card then says why it would not have been kept.
        progress: where to report; bars in a notebook and nothing elsewhere unless given.

    Raises:
        ExportError: the export does not answer as it must, or is not worth it.
        TumorscopeError: the run or its data cannot be used.
    """
    require_extra("train", "tumorscope export")
    for form in (to, precision):
        if form in NEEDED:
            require_extra(NEEDED[form], f"An export to {form}")
    from tumorscope.inference.bundle import zip_bundle
    from tumorscope.runs.conversion import convert_run
    from tumorscope.runs.options import ExportOptions

    folder = Path(out) if out else Path(run) / "exports" / f"{to}-{precision}"
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise UsageError(f"{folder} exists: move it, or choose another folder with --out.")
    refuse_unwritable(folder)
    options = ExportOptions(
        to=to,
        precision=precision,
        licence=licence,
        data=Path(data) if data else None,
        force=force,
    )
    card = convert_run(Path(run), folder, options, progress or default_progress())
    return Exported(folder, zip_bundle(folder), card)
