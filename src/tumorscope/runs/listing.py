"""What lies in a folder of runs: finished and unfinished ones, cross-validations, several seeds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tumorscope.errors import TumorscopeError
from tumorscope.runs.folder import (
    RECIPE,
    SEEDS,
    is_cross_validation,
    is_run,
    read_environment,
    read_results,
)
from tumorscope.schema.recipe import load_recipe
from tumorscope.schema.scores import Score
from tumorscope.schema.summaries import SeedSummary

State = Literal["finished", "unfinished", "unreadable"]


@dataclass(frozen=True)
class ListedRun:
    """One line of a list of runs.

    Attributes:
        folder: where it lies.
        data: the name of its data set.
        recipe: what was trained.
        kind: `run`, or how many folds or seeds.
        state: `unreadable` where another version wrote it, or it is damaged.
        accuracy: on the test images that count, with its interval; of several seeds the mean. None
            where it is not finished.
        started: the day and time in UTC, ISO 8601.
    """

    folder: Path
    data: str
    recipe: str
    kind: str
    state: State
    accuracy: Score | None
    started: str


def list_folder(folder: Path) -> list[ListedRun]:
    """Return what lies in a folder, newest first; what is not a run is passed over."""
    listed = [_listed(path) for path in folder.iterdir() if path.is_dir()]
    return sorted((run for run in listed if run), key=lambda run: run.started, reverse=True)


def _listed(folder: Path) -> ListedRun | None:
    inner = sorted(path.parent for path in folder.glob(f"*/{RECIPE}"))
    first = folder if is_run(folder) else next(filter(is_run, inner), None)
    if first is None:
        return None
    if first != folder and first.name.split("-")[0] not in ("fold", "seed"):
        return _listed(first)  # such as the run of a demo, beside its data
    try:
        environment, recipe = read_environment(first), load_recipe(first / RECIPE).name
        started, data = str(environment["started"]), Path(environment["data"]["path"]).stem
    except (TumorscopeError, KeyError, TypeError):
        return ListedRun(folder, "", "", "run", "unreadable", None, "")
    kind = "run" if first == folder else f"{len(inner)} {first.name.split('-')[0]}s"
    state, accuracy = _outcome(folder)
    return ListedRun(folder, data, recipe, kind, state, accuracy, started)


def _outcome(folder: Path) -> tuple[State, Score | None]:
    """Return whether a run has ended, and with what accuracy."""
    try:
        if (folder / SEEDS).is_file():
            summary = SeedSummary.model_validate_json((folder / SEEDS).read_bytes())
            spread = summary.scores["accuracy"]
            ends = {"low": spread.low, "high": spread.high}
            return "finished", Score(value=spread.mean, n=summary.images, **ends)
        if not (folder / "results.json").is_file():
            return "unfinished", None
        pooled = is_cross_validation(folder)
        return "finished", read_results(folder, pooled=pooled).judged.accuracy
    except (TumorscopeError, ValueError, KeyError):
        return "unreadable", None
