"""Walk the whole way on synthetic slices."""

from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.errors import UsageError
from tumorscope.support.extras import require_extra
from tumorscope.support.files import explained
from tumorscope.support.progress import Progress, default_progress

if TYPE_CHECKING:
    from tumorscope.runs.execution import Run

SETTINGS = (
    *("image_size=64", "batch_size=16", "epochs=12", "schedule=one_cycle"),
    *("weight_averaging=0.95", "augment.rotation=10", "augment.vertical_flip=0"),
)
PLANTED = 8  # copies that the demo hides for the audit to find


def demo(*, out: str | Path | None = None, progress: Progress | None = None) -> "Run":
    """Draw synthetic head slices, train on them and go all the way to a report.

    Args:
        out: a folder for the slices and the run; `runs/demo-<n>` unless given.
        progress: where to report; bars in a notebook and nothing elsewhere unless given.

    Raises:
        TumorscopeError: the folder is in use or cannot be written.
    """
    require_extra("train", "tumorscope demo")
    from tumorscope.data.phantom import write_phantoms
    from tumorscope.report.audit_page import write_audit
    from tumorscope.runs.execution import train_run
    from tumorscope.runs.folder import next_run
    from tumorscope.runs.options import TrainOptions

    progress = progress or default_progress()
    folder = Path(out) if out else next_run("demo", resume=False)
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} exists: choose another folder with --out.")
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    manifest = write_phantoms(folder / "phantoms", copies=PLANTED, progress=progress)
    write_audit(manifest, folder / "audit", progress)
    progress.say(
        f"Audit: {PLANTED} copies were planted under other patients' names, and "
        f"{_copies_held_together(manifest)} of them were found. See "
        f"{folder / 'audit' / 'audit.html'}"
    )
    options = TrainOptions(
        data=manifest,
        recipe="resnet18",
        overrides=SETTINGS,
        out=folder / "run",
        progress=progress,
    )
    return train_run(options)


def _copies_held_together(manifest: Path) -> int:
    """Count the planted copies that are held together with the slice they were made from."""
    from tumorscope.data.layouts import read_manifest
    from tumorscope.data.store import MIDDLE, open_store
    from tumorscope.grouping.survey import Survey

    survey = Survey(open_store(read_manifest(manifest), MIDDLE))
    group = {row.image: survey.same_image[n] for n, row in enumerate(survey.rows)}
    copies = [image for image in group if "/copy-of-" in image]
    return sum(group[image] == group[image.replace("copy-of-", "")] for image in copies)
