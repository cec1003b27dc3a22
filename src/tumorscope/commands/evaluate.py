"""Score a run again, on its own data or on another set."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tumorscope.data.layouts import read_manifest
from tumorscope.data.store import open_store
from tumorscope.evaluation.evaluate import EvaluationOptions
from tumorscope.grouping.survey import Survey
from tumorscope.inference.predict import Predictor
from tumorscope.runs.assessment import _evaluate_elsewhere, assess_run, run_data
from tumorscope.runs.folder import check_data, is_same_data, read_environment
from tumorscope.schema.results import Results
from tumorscope.support.extras import require_extra
from tumorscope.support.progress import Progress, Quiet


def evaluate(
    *,
    run: str | Path,
    data: str | Path | None = None,
    classes: Mapping[str, str] | None = None,
    by: Sequence[str] = (),
    prevalence: Mapping[str, float] | None = None,
    robustness: bool = False,
    progress: Progress | None = None,
) -> Results:
    """Score a finished training again, from its bundle, on its own data or on another set.

    On its own data, which may have been moved, the run's results and report are written anew. On
    another set all its images are test images, less those that have a copy, a near copy or a slice
    of the same patient in training or validation; results and report go to `external/<set>` in the
    run's folder.

    Args:
        run: the folder of a training.
        data: where its data set is now, or another set.
        classes: for another set, its label by class of the model, where names do not tell.
        by: columns of the manifest to break accuracy down by.
        prevalence: of classes where the model is to be used, for predictive values.
        robustness: also change the test images in eight ways at five strengths.
        progress: where to report; nowhere unless given.

    Raises:
        TumorscopeError: the run or the data cannot be used.
    """
    require_extra("train", "tumorscope evaluate")
    progress, folder = progress or Quiet(), Path(run)
    asked = EvaluationOptions(by, prevalence, robustness)
    home = Path(read_environment(folder)["data"]["path"])
    recipe = Predictor.load(folder).card.recipe
    if data is not None and Path(data).resolve() != home:
        other = open_store(read_manifest(data), recipe.image_size, progress=progress)
        if not home.exists():
            check_data(folder, other)  # without its own data no other can be told from it
        if not is_same_data(folder, other):
            return _evaluate_elsewhere(folder, home, other, Path(data), classes, asked, progress)
        home = Path(data)
    store, found = run_data(folder, home, progress)
    return assess_run(folder, Survey(store), found, asked=asked, progress=progress)
