"""Walk the whole way on synthetic slices."""

from pathlib import Path

from tumorscope.commands.train import Run, train
from tumorscope.data.layouts import read_manifest
from tumorscope.data.store import MIDDLE, open_store
from tumorscope.errors import UsageError
from tumorscope.runs.folder import next_run
from tumorscope.support.extras import require_extra
from tumorscope.support.files import explained
from tumorscope.support.progress import Progress, Quiet

DEMO_SETTINGS = (
    *("image_size=64", "batch_size=16", "epochs=12", "schedule=one_cycle"),
    *("weight_averaging=0.95", "augment.rotation=10", "augment.vertical_flip=0"),
)


PLANTED = 8  # copies that the demo hides for the audit to find


def demo(*, out: str | Path | None = None, progress: Progress | None = None) -> Run:
    """Draw synthetic head slices, train on them and go all the way to a report.

    Args:
        out: a folder for the slices and the run; `runs/demo-<n>` unless given.
        progress: where to report; nowhere unless given.
    """
    require_extra("train", "tumorscope demo")
    from tumorscope.commands.audit import audit  # noqa: PLC0415 (imports SciPy)
    from tumorscope.data.phantom import write_phantoms  # noqa: PLC0415 (only needed here)

    progress = progress or Quiet()
    folder = Path(out) if out else next_run("demo", resume=False)
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} exists: choose another folder with --out.")
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    manifest = write_phantoms(folder / "phantoms", copies=PLANTED, progress=progress)
    audited = audit(data=manifest, out=folder / "audit", progress=progress)
    progress.say(
        f"Audit: {PLANTED} copies were planted under other patients' names, and "
        f"{_found_copies(manifest)} of them were found. See {audited.folder / 'audit.html'}"
    )
    return train(
        data=manifest,
        recipe="resnet18",
        overrides=DEMO_SETTINGS,
        out=folder / "run",
        progress=progress,
    )


def _found_copies(manifest: Path) -> int:
    """Count the planted copies that are held together with the slice they were made from."""
    from tumorscope.grouping.survey import Survey  # noqa: PLC0415 (imports SciPy)

    survey = Survey(open_store(read_manifest(manifest), MIDDLE))
    group = {row.image: survey.same_image[n] for n, row in enumerate(survey.rows)}
    copies = [image for image in group if "/copy-of-" in image]
    return sum(group[image] == group[image.replace("copy-of-", "")] for image in copies)
