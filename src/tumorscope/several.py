"""Several trainings: the same with other seeds, and any side by side."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from tumorscope.errors import UsageError
from tumorscope.extras import require_training
from tumorscope.files import explained, write_text
from tumorscope.results import SeedSummary
from tumorscope.run import is_run, next_run, read_history, refuse_series
from tumorscope.walk import (
    Options,
    Run,
    chosen_recipe,
    prepare_job,
    refuse_unknown,
    stem_of,
    train_one,
)

if TYPE_CHECKING:
    from tumorscope.comparison import Comparison


@dataclass(frozen=True)
class Series:
    """Trainings of one recipe that differ in nothing but the seed.

    Attributes:
        folder: where each has its folder, and `seeds.json`.
        runs: one a seed.
        summary: means and spreads, as in `seeds.json`.
    """

    folder: Path
    runs: tuple[Run, ...]
    summary: SeedSummary


def train_seeds(*, seeds: int, **options: Unpack[Options]) -> Series:
    """Train a recipe with several seeds on the same parts, to see how far chance alone goes.

    The recipe's seed draws the parts and is the first of the seeds; the others count on from it.
    Each training goes into a folder of its own, `seed-<n>`; with `resume`, finished ones are kept.

    Args:
        seeds: how many.
        **options: as in `train`.

    Raises:
        TumorscopeError: as `train`.
    """
    require_training("tumorscope train")
    from tumorscope.spread import summarize_seeds  # noqa: PLC0415

    if seeds < 2:
        raise UsageError(f"--seeds {seeds} shows no spread: ask for two or more.")
    if options.get("devices", 1) * options.get("nodes", 1) > 1:
        raise UsageError("--seeds trains in one process: leave --devices and --nodes out.")
    refuse_unknown(options)
    resume = options.get("resume", False)
    chosen, place = chosen_recipe(options), Path(options["data"])
    out = options.get("out")
    folder = Path(out) if out else next_run(f"{stem_of(place)}-{chosen.name}-seeds", resume=resume)
    folders = [folder / f"seed-{chosen.seed + n}" for n in range(seeds)]
    refuse_series(folder, folders, place, overwrite=options.get("overwrite", False), resume=resume)
    job = prepare_job(chosen, options)
    runs = []
    for number, inner in enumerate(folders):
        seeded = chosen.model_copy(update={"seed": chosen.seed + number})
        job.progress.say(f"seed {seeded.seed}, {number + 1} of {seeds}")
        runs.append(train_one(job, seeded, inner, resume=resume and is_run(inner)))
    used = range(chosen.seed, chosen.seed + seeds)
    summary = summarize_seeds(used, [run.results for run in runs])
    write_text(folder / "seeds.json", summary.model_dump_json(indent=2) + "\n")
    return Series(folder, tuple(runs), summary)


@dataclass(frozen=True)
class Compared:
    """A finished comparison.

    Attributes:
        figure: the file with the curves.
        numbers: the scores and paired tests.
    """

    figure: Path
    numbers: "Comparison"


def compare(*, runs: Sequence[str | Path], out: str | Path = "comparison.png") -> Compared:
    """Put finished trainings side by side and draw their curves in one figure.

    Args:
        runs: their folders.
        out: the PNG to write.

    Raises:
        TumorscopeError: a folder is no finished training, or the figure cannot be written.
    """
    require_training("tumorscope compare")
    from tumorscope.comparison import compare_runs  # noqa: PLC0415 (imports SciPy)
    from tumorscope.report.figures import compared_curves, write_figure  # noqa: PLC0415

    folders, path = [Path(run) for run in runs], Path(out)
    if path.suffix != ".png":
        raise UsageError(f"{path} does not end in .png: the figure is a PNG file.")
    numbers = compare_runs(folders)
    names = _telling(folders)
    histories = {name: read_history(folder) for name, folder in zip(names, folders, strict=True)}
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_figure(path, compared_curves(histories))
    return Compared(path, numbers)


def _telling(folders: Sequence[Path]) -> list[str]:
    """Return names for a legend: what is left of each path below the folder that holds them all."""
    whole = [folder.resolve() for folder in folders]
    above = Path(os.path.commonpath(whole))
    return [path.relative_to(above).as_posix() if path != above else path.name for path in whole]
