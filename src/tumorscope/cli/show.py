"""How results look in a terminal."""

from textwrap import fill
from typing import TYPE_CHECKING

from tumorscope.support.terminal import show, show_table

if TYPE_CHECKING:
    from tumorscope.commands.export import Exported
    from tumorscope.commands.folds import Folds
    from tumorscope.commands.seeds import Series
    from tumorscope.commands.train import Run
    from tumorscope.schema.card import Scored
    from tumorscope.schema.results import ImageScores, Results, Score

CONTROLS = (
    ("majority", "most frequent class"),
    ("look_up", "thumbnail look-up"),
    ("file_facts", "file facts"),
)


def show_run(run: "Run") -> None:
    """Show what a training came to, and what to do next."""
    show_results(run.results)
    show(f"\nReport:   {run.folder / 'report.html'}")
    show(f"Predict:  tumorscope predict {run.folder} IMAGE …")


def show_results(results: "Results") -> None:
    """Show the answer, what weakens it, scores beside controls, and each class."""
    from tumorscope.evaluation.summary import judged_by  # noqa: PLC0415 (imports SciPy)

    show("\n" + fill(results.summary, 80))
    for sentence in results.warnings:
        show(fill(f"- {sentence}", 80, subsequent_indent="  "))
    show(f"\nOn {results.images.test} test images ({results.images.left_out} files left out)")
    show_headline(results)
    if results.clean:
        show(f"\nOn the {results.clean.n} that are new to the model")
        show_headline(results.clean)
    show()
    judged = judged_by(results, results.clean)
    show_table(
        ("class", "images", "sensitivity", "specificity", "PPV", "AUROC"),
        [
            (
                name,
                str(s.support),
                *map(percent, (s.sensitivity, s.specificity, s.ppv)),
                "n/a" if s.auroc.value is None else f"{s.auroc.value:.3f}",
            )
            for name, s in judged.per_class.items()
        ],
    )


def show_headline(scores: "ImageScores") -> None:
    """Show scores with intervals, and the controls below them."""
    rows = [
        ("accuracy", percent(scores.accuracy), interval(scores.accuracy)),
        (
            "balanced accuracy",
            percent(scores.balanced_accuracy),
            interval(scores.balanced_accuracy),
        ),
        ("macro F1", percent(scores.macro_f1), interval(scores.macro_f1)),
    ]
    for name, label in CONTROLS:
        score = getattr(scores.controls, name)
        rows.append((f"control: {label}", percent(score), interval(score)))
    gain = scores.controls.gain
    rows.append(("gain over the best control", _signed(gain.value), interval(gain, "+.1%")))
    show_table(("score", "value", "95 % interval"), rows)


def show_folds(found: "Folds") -> None:
    """Show pooled scores and those of each fold."""
    summary = found.summary
    show("\n" + fill(summary.summary, 80))
    show(f"\nAll {summary.pooled.n} images, each tested once")
    show_headline(summary.pooled)
    if summary.clean:
        show(f"\nThe {summary.clean.n} that are new to the model of their fold")
        show_headline(summary.clean)
    show()
    show_table(
        ("fold", "images", "accuracy", "95 % interval"),
        [(str(n), str(s.n), percent(s), interval(s)) for n, s in summary.folds.items()],
    )
    show(f"\nRuns:    {found.folder}")
    show(f"Labels:  tumorscope review {found.folder}")


def show_series(series: "Series") -> None:
    """Show means and spreads over seeds."""
    summary = series.summary
    show(f"\nOn {summary.images} test images, {len(summary.seeds)} seeds")
    rows = [
        (
            name.replace("_", " "),
            f"{spread.mean:.1%}",
            f"{spread.low:.1%} to {spread.high:.1%}",
            f"{spread.standard_deviation:.1%}",
            " ".join(f"{value:.1%}" for value in spread.values),
        )
        for name, spread in summary.scores.items()
    ]
    rows.append(("most frequent class", percent(summary.majority), "", "", ""))
    show_table(("score", "mean", "95 % interval", "SD", "each seed"), rows)
    show("The interval covers chance in training alone, not which patients were tested.")
    show(f"\nRuns:  {series.folder}")


def percent(score: "Score | Scored") -> str:
    """Return a share as text."""
    return "n/a" if score.value is None else f"{score.value:.1%}"


def _signed(value: float | None) -> str:
    return "n/a" if value is None else f"{value:+.1%}"


def interval(score: "Score | Scored", form: str = ".1%") -> str:
    """Return the ends of an interval as text, empty where there is none."""
    if score.low is None or score.high is None:
        return ""
    return f"{score.low:{form}} to {score.high:{form}}"


def with_interval(score: "Score") -> str:
    """Return a share and its interval in brackets."""
    if score.low is None or score.high is None:
        return percent(score)
    return f"{percent(score)} ({100 * score.low:.1f}–{100 * score.high:.1f})"


def show_export(exported: "Exported") -> None:
    """Show how an export answers beside the original, and where it is."""
    card = exported.card
    found = card.conversion
    assert found is not None
    show_table(
        ("", "original", card.precision),
        [
            ("graph, MB", *(f"{n / 1e6:.1f}" for n in (found.bytes_before, found.bytes))),
            ("images a second", *(f"{n:.0f}" for n in (found.speed_before, found.speed))),
            (
                f"accuracy on {found.accuracy.images} test images",
                percent(found.accuracy_before),
                percent(found.accuracy),
            ),
        ],
    )
    show()
    show(
        fill(
            f"On {found.images} validation images: another class for {found.changed}, largest "
            f"difference in probability {found.largest:.2g}, accuracy lost {percent(found.loss)} "
            f"({interval(found.loss)}).",
            80,
        )
    )
    show(f"\nBundle:   {exported.folder}, and {exported.zip}")
    show(f"Predict:  tumorscope predict {exported.zip} IMAGE …")
