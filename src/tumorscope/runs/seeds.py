"""Runs that differ in the seed alone, put together: how far they differ, and on a page."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tumorscope.evaluation.seeds import summarize_seeds
from tumorscope.inference.predict import Predictor
from tumorscope.report.seeds_page import SeedsRecord, write_seeds_report
from tumorscope.runs.evaluation import run_record
from tumorscope.runs.execution import Run
from tumorscope.runs.folder import SEEDS, read_history, read_probabilities
from tumorscope.schema.summaries import SeedSummary
from tumorscope.support.files import write_text


def combine_seeds(
    folder: Path, seeds: Sequence[int], runs: Sequence[Run], formats: Sequence[str] = ()
) -> SeedSummary:
    """Write what several seeds come to: `seeds.json`, `report.html` and its figures.

    Args:
        folder: where to write.
        seeds: of the runs.
        runs: on the same parts of the same data.
        formats: of the figures besides PNG.
    """
    results = [run.results for run in runs]
    classes = results[0].classes
    answers = np.stack([read_probabilities(run.folder, classes).argmax(axis=1) for run in runs])
    summary = summarize_seeds(seeds, results, answers)
    write_seeds_report(folder, summary, results, _record(runs), formats)
    write_text(folder / SEEDS, summary.model_dump_json(indent=2) + "\n")
    return summary


def _record(runs: Sequence[Run]) -> SeedsRecord:
    """Return how the runs were made."""
    first = run_record(runs[0].folder, Predictor.load(runs[0].folder))
    return SeedsRecord(
        title=f"{first.title}, {len(runs)} seeds",
        recipe=first.recipe,
        command=str(first.environment["command"]),
        folders=tuple(run.folder.name for run in runs),
        histories={run.folder.name: read_history(run.folder) for run in runs},
    )
