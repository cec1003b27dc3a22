"""The page of several seeds: their mean, how far they differ, and each one's scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tumorscope.report.figures import comparison
from tumorscope.report.html import data_uri, render_page
from tumorscope.report.page import SUMMED_UP
from tumorscope.report.style import write_figures
from tumorscope.schema import wording
from tumorscope.schema.recipe import Recipe, dump_recipe
from tumorscope.schema.results import Results
from tumorscope.schema.scores import Score
from tumorscope.schema.summaries import SeedSummary
from tumorscope.support.files import write_text


@dataclass(frozen=True)
class SeedsRecord:
    """How runs that differ in the seed alone were made.

    Attributes:
        title: the data set and the recipe.
        recipe: what was trained, with the first seed.
        command: with which it was started.
        folders: the name of each run's folder, beside the page.
        histories: each epoch's scores, by the same names.
    """

    title: str
    recipe: Recipe
    command: str
    folders: Sequence[str]
    histories: Mapping[str, Sequence[Mapping[str, float]]]


def write_seeds_report(
    folder: Path,
    summary: SeedSummary,
    results: Sequence[Results],
    made: SeedsRecord,
    formats: Sequence[str] = (),
) -> None:
    """Write `report.html` and `figures/` of several seeds into a folder.

    Args:
        folder: where to write.
        summary: what they come to.
        results: what each scored, in the order of `made.folders`.
        made: how they came about.
        formats: of the figures besides PNG: `svg`, `pdf`.
    """
    runs = dict(zip(made.folders, results, strict=True))
    scores = {name: own.judged.accuracy for name, own in runs.items()}
    drawn = {"seeds": comparison(scores, made.histories)}
    pictures = write_figures(folder / "figures", drawn, formats)
    values = {
        "title": made.title,
        "summary": summary,
        "means": _means(summary),
        "names": {name: label for name, _, label in SUMMED_UP},
        "first": results[0],
        "warnings": [
            said for said in results[0].warnings if all(said in own.warnings for own in results)
        ],
        "judged": results[0].judged,
        "runs": runs,
        "made": made,
        "recipe": dump_recipe(made.recipe),
        "control_labels": wording.CONTROL_LABELS,
        "pictures": {name: data_uri(content) for name, content in pictures.items()},
    }
    write_text(folder / "report.html", render_page("seeds", values))


def _means(summary: SeedSummary) -> dict[str, Score]:
    """Return the mean of each score over the seeds, as a score with its interval."""
    return {
        name: Score(value=own.mean, low=own.low, high=own.high, n=len(summary.seeds))
        for name, own in summary.scores.items()
    }
