"""Score a run again, on its own data or on another set."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.errors import UsageError
from tumorscope.schema.layout import UNSAID, LayoutOptions
from tumorscope.support.extras import require_extra
from tumorscope.support.progress import Progress, default_progress

if TYPE_CHECKING:
    from tumorscope.schema.results import Results


def evaluate(
    run: str | Path,
    *,
    data: str | Path | None = None,
    classes: Mapping[str, str | Sequence[str]] | None = None,
    by: Sequence[str] = (),
    prevalence: Mapping[str, float] | None = None,
    robustness: bool = False,
    figures: Sequence[str] = (),
    layout: LayoutOptions = UNSAID,
    progress: Progress | None = None,
) -> "Results":
    """Score a finished run again, from its bundle, on its own data or on another set.

    On its own data, which may have been moved, the run's results and report are written anew. On
    another set all its images are test images, less those that have a copy, a near copy or a slice
    of the same patient in training or validation; results and report go to `external/<set>` in the
    run's folder.

    Args:
        run: the run's folder.
        data: where its data set is now, or another set.
        classes: for another set, its label, or labels, by class of the model, where names do not
            tell; several classes may have one label.
        by: columns of the manifest to break accuracy down by.
        prevalence: of classes where the model is to be used, for predictive values.
        robustness: also change the test images in eight ways at five strengths.
        figures: formats in which to write every figure besides PNG: `svg`, `pdf`.
        layout: what the layout of another set leaves open.
        progress: where to report; bars in a notebook and nothing elsewhere unless given.

    Raises:
        UsageError: the classes or the layout of another set are given without one.
        TumorscopeError: the run or the data cannot be used.
    """
    require_extra("train", "tumorscope evaluate")
    from tumorscope.data.dataset import say_layout
    from tumorscope.data.layouts import read_manifest
    from tumorscope.data.store import open_store
    from tumorscope.evaluation import EvaluationOptions
    from tumorscope.grouping.survey import Survey
    from tumorscope.inference.predict import Predictor
    from tumorscope.report.style import check_formats
    from tumorscope.runs.evaluation import evaluate_run, run_data
    from tumorscope.runs.external import evaluate_elsewhere
    from tumorscope.runs.folder import check_data, grouping_rules, is_same_data, read_environment

    folder, progress = Path(run), progress or default_progress()
    check_formats(figures)
    options = EvaluationOptions(by, prevalence, robustness)
    pairs = [
        (own, label)
        for own, labels in (classes or {}).items()
        for label in ([labels] if isinstance(labels, str) else labels)
    ]
    home = Path(read_environment(folder)["data"]["path"])
    if data is not None and Path(data).resolve() != home:
        size = Predictor.load(folder).card.recipe.image_size
        manifest = read_manifest(data, layout)
        say_layout(manifest, progress)
        other = open_store(manifest, size, progress=progress)
        if not home.exists():
            check_data(folder, other)  # without its own data no other can be told from it
        if not is_same_data(folder, other):
            return evaluate_elsewhere(
                folder,
                other,
                Path(data),
                classes=pairs,
                options=options,
                formats=figures,
                progress=progress,
            )
        home = Path(data)
    if classes or layout != UNSAID:
        raise UsageError(
            "Classes, and how folders are read, can only be said of another set (--data): a run's "
            "own data is read as it was when the run began."
        )
    store, partition = run_data(folder, home, progress)
    return evaluate_run(
        folder,
        Survey(store, rules=grouping_rules(folder)),
        partition,
        options=options,
        formats=figures,
        progress=progress,
    )
