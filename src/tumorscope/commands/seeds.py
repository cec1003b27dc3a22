"""Several trainings: the same with other seeds, and any side by side."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from tumorscope.commands.train import (
    Options,
    Run,
    chosen_recipe,
    prepare_job,
    refuse_unknown,
    stem_of,
    train_one,
)
from tumorscope.errors import UsageError
from tumorscope.runs.folder import is_run, next_run, refuse_series
from tumorscope.schema.summaries import SeedSummary
from tumorscope.support.extras import require_extra
from tumorscope.support.files import write_text

if TYPE_CHECKING:
    pass


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
    require_extra("train", "tumorscope train")
    from tumorscope.metrics.intervals import summarize_seeds  # noqa: PLC0415

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
