"""How results look in a terminal."""

from typing import TYPE_CHECKING

from tumorscope.schema import wording
from tumorscope.support.terminal import show, show_table, show_text

if TYPE_CHECKING:
    from tumorscope.commands.export import Exported
    from tumorscope.commands.folds import Folds
    from tumorscope.commands.seeds import Series
    from tumorscope.runs.execution import Run
    from tumorscope.schema.results import Results
    from tumorscope.schema.scores import ImageScores


def show_run(run: "Run") -> None:
    """Show the results of a run, and what to do next."""
    show_results(run.results)
    show(f"\nReport:   {run.folder / 'report.html'}")
    show(f"Predict:  tumorscope predict {run.folder} IMAGE …")


def show_results(results: "Results") -> None:
    """Show the answer, what weakens it, scores and controls, and each class."""
    show()
    show_text(results.summary)
    for sentence in results.warnings:
        show_text(f"- {sentence}", hang="  ")
    show(f"\nOn {results.images.test} test images ({results.images.left_out} files left out)")
    show_scores(results.all)
    if results.clean:
        show(f"\nOn the {results.clean.n} that are new to the model")
        show_scores(results.clean)
    show()
    judged = results.judged
    show_table(
        ("class", "images", "sensitivity", "specificity", "PPV", "AUROC"),
        [
            (
                name,
                str(s.support),
                *map(wording.share, (s.sensitivity, s.specificity, s.ppv)),
                wording.number(s.auroc),
            )
            for name, s in judged.per_class.items()
        ],
    )
    _show_prevalence(judged)


def _show_prevalence(scores: "ImageScores") -> None:
    """Say for which prevalence the predictive values hold."""
    stated = ", ".join(
        f"{name} {wording.prevalence(own.prevalence)}"
        for name, own in scores.per_class.items()
        if own.prevalence is not None
    )
    if stated:
        show_text(f"PPV at a prevalence of {stated}; --prevalence states another.")


def show_scores(scores: "ImageScores") -> None:
    """Show scores with intervals, and the controls below them."""
    rows = [
        ("accuracy", wording.share(scores.accuracy), wording.interval(scores.accuracy)),
        (
            "balanced accuracy",
            wording.share(scores.balanced_accuracy),
            wording.interval(scores.balanced_accuracy),
        ),
        ("macro F1", wording.share(scores.macro_f1), wording.interval(scores.macro_f1)),
    ]
    for name, label in wording.CONTROL_LABELS.items():
        score = getattr(scores.controls, name)
        rows.append((f"control: {label}", wording.share(score), wording.interval(score)))
    gain = scores.controls.gain
    difference = wording.UNDEFINED if gain.value is None else f"{100 * gain.value:+.1f} points"
    rows.append(("gain over the best control", difference, wording.interval_in_points(gain)))
    show_table(("score", "value", "95 % interval"), rows)


def show_folds(folds: "Folds") -> None:
    """Show pooled scores and those of each fold."""
    summary = folds.summary
    show()
    show_text(summary.summary)
    show(f"\nAll {summary.pooled.n} images, each tested once")
    show_scores(summary.pooled)
    if summary.clean:
        show(f"\nThe {summary.clean.n} that are new to the model of their fold")
        show_scores(summary.clean)
    show()
    show_table(
        ("fold", "images", "accuracy", "95 % interval"),
        [
            (str(n), str(s.n), wording.share(s), wording.interval(s))
            for n, s in summary.folds.items()
        ],
    )
    show(f"\nReport:  {folds.folder / 'report.html'}")
    show(f"Runs:    {folds.folder}")
    show(f"Labels:  tumorscope review {folds.folder}")


def show_series(series: "Series") -> None:
    """Show means and spreads over seeds."""
    from tumorscope.metrics.intervals import FEWEST_RUNS  # noqa: PLC0415 (imports SciPy)
    from tumorscope.schema.scores import Score  # noqa: PLC0415

    summary = series.summary
    show(f"\nOn {summary.images} test images, {len(summary.seeds)} seeds")
    rows = [
        (
            name.replace("_", " "),
            f"{spread.mean:.1%}",
            wording.interval(Score(value=spread.mean, low=spread.low, high=spread.high, n=0)),
            f"{spread.standard_deviation:.1%}",
            " ".join(f"{value:.1%}" for value in spread.values),
        )
        for name, spread in summary.scores.items()
    ]
    rows.append(("most frequent class", wording.share(summary.majority), "", "", ""))
    show_table(("score", "mean", "95 % interval", "SD", "each seed"), rows)
    if len(summary.seeds) < FEWEST_RUNS:
        show_text(f"An interval needs {FEWEST_RUNS} seeds or more: train more with --seeds.")
    else:
        show_text(
            "Intervals cover the randomness of training only, not the choice of patients tested."
        )
    show(f"\nRuns:  {series.folder}")


def show_export(exported: "Exported") -> None:
    """Show how an export compares with the original, and where it is."""
    card = exported.card
    conversion = card.conversion
    assert conversion is not None
    show_table(
        ("", "original", card.precision),
        [
            ("graph, MB", *(f"{n / 1e6:.1f}" for n in (conversion.bytes_before, conversion.bytes))),
            (
                "images per second",
                *(f"{n:.0f}" for n in (conversion.speed_before, conversion.speed)),
            ),
            (
                f"accuracy on {conversion.accuracy.n} test images",
                wording.share(conversion.accuracy_before),
                wording.share(conversion.accuracy),
            ),
        ],
    )
    show()
    show_text(
        f"On {conversion.images} validation images: another class for {conversion.changed}, "
        f"largest difference in probability {conversion.largest:.2g}, accuracy lost "
        f"{wording.with_interval(conversion.loss)}."
    )
    if conversion.forced:
        show_text(f"Kept by --force: {conversion.forced}")
    show(f"\nBundle:   {exported.folder}, and {exported.zip}")
    show(f"Predict:  tumorscope predict {exported.zip} IMAGE …")
