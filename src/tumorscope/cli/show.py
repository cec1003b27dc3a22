"""How results look in a terminal."""

from typing import TYPE_CHECKING

from tumorscope.schema import wording
from tumorscope.support.terminal import show, show_table, show_text
from tumorscope.support.text import plural

LISTED = 12  # files that are left out that a table names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tumorscope.commands.export import Exported
    from tumorscope.commands.folds import Folds
    from tumorscope.commands.layouts import LayoutReport
    from tumorscope.commands.seeds import Series
    from tumorscope.model import ModelSummary
    from tumorscope.runs.execution import Run
    from tumorscope.schema.results import Results, StageScores
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
    show()
    show_classes(results.all)
    if results.clean:
        show(f"\nOn the {results.clean.n} that are new to the model")
        show_scores(results.clean)
        show()
        show_classes(results.clean)
    if results.stages:
        show()
        show_stages(results.stages)


def show_classes(scores: "ImageScores") -> None:
    """Show precision, recall and F1 of each class, as a classification report has them."""
    stated = scores.states_prevalence
    rows = [
        (
            name,
            *map(wording.share, (own.precision, own.sensitivity, own.f1, own.specificity)),
            wording.share(own.ppv) if stated else wording.number(own.auroc),
            str(own.support),
        )
        for name, own in scores.per_class.items()
    ]
    for name, average in (("macro average", scores.macro), ("weighted average", scores.weighted)):
        shares = map(wording.share, (average.precision, average.recall, average.f1))
        rows.append((name, *shares, "", "", str(scores.n)))
    last = "PPV" if stated else "AUROC"
    show_table(("class", "precision", "recall", "F1", "specificity", last, "images"), rows)
    if scores.absent:
        show_text(f"{wording.ABSENT} {', '.join(scores.absent)}.")
    whose = "PPV at the stated" if stated else "Precision at these images'"
    aside = "" if stated else "; --prevalence states another"
    show_text(f"{whose} prevalence: {wording.prevalences(scores)}{aside}.")


def show_stages(stages: "Sequence[StageScores]") -> None:
    """Show what each stage of the training scored on the test images, and what it gained."""
    show_table(
        ("stage", "best epoch", "accuracy", "95 % interval", "gain"),
        [
            (
                str(own.stage),
                f"{own.epoch} (kept)" if own.kept else str(own.epoch),
                wording.share(own.accuracy),
                wording.interval(own.accuracy),
                "" if own.gain is None else wording.points(own.gain),
            )
            for own in stages
        ],
    )


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
    show()
    show_text(summary.summary)
    show(f"\nOn {summary.images} test images, {len(summary.seeds)} seeds")
    rows = [
        (
            name.replace("_", " ").replace("f1", "F1"),
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
    show(f"\nReport:  {series.folder / 'report.html'}")
    show(f"Runs:    {series.folder}")


def show_model(model: "ModelSummary") -> None:
    """Show the blocks of a network and what each stage trains."""
    rows = [
        (own.name, own.kind, " × ".join(map(str, own.output)), f"{own.parameters:,}")
        for own in model.blocks
    ]
    show_table(("block", "kind", "output", "parameters"), rows)
    show()
    show_text(
        f"{model.backbone} for {model.classes} classes, images of {model.input[1]} × "
        f"{model.input[2]} pixels: {model.parameters:,} parameters."
        + f" {model.members} such networks answer together."
        * (model.members > 1)
    )
    show_table(
        ("stage", "trains", "parameters", "share", "epochs"),
        [
            (
                str(number),
                ", ".join(own.train),
                f"{own.parameters:,}",
                f"{own.parameters / model.parameters:.1%}",
                str(own.epochs),
            )
            for number, own in enumerate(model.stages, 1)
        ],
    )


def show_layout(found: "LayoutReport") -> None:
    """Show how a data set is read and what becomes of its files."""
    content = found.as_json()
    classes = ", ".join(f"{name} {count}" for name, count in content["classes"].items())
    show_text(f"{content['layout'].capitalize()}: {len(found.manifest.rows)} images ({classes}).")
    parts = ", ".join(f"{name} {count}" for name, count in content["parts"].items())
    if parts:
        show_text(f"Published parts: {parts}.")
    if content["patients"]:
        show_text(f"{plural(content['patients'], 'patient')}.")
    for sentence in content["notes"]:
        show_text(sentence)
    show()
    show_table(
        ("files", "number"),
        [(name, str(count)) for name, count in content["files"].items() if count],
    )
    if found.manifest.left_out:
        show()
        left_out = found.manifest.left_out
        rows = [(file.image, file.reason, str(file.files)) for file in left_out[:LISTED]]
        show_table(("left out", "why", "files"), rows)
        if len(left_out) > LISTED:
            show(f"… and {len(left_out) - LISTED} more; --json names them.")
    if found.written:
        show(f"\nManifest:  {found.written}")


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
