"""Figures and report: what is on them, not only that they exist."""

import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

import tumorscope
from tumorscope.errors import UsageError
from tumorscope.metrics.calibration import tempered
from tumorscope.metrics.scores import log_losses
from tumorscope.records import Part, Prediction
from tumorscope.report import figures
from tumorscope.report.style import write_figure
from tumorscope.report.tiles import Tile
from tumorscope.runs.folder import read_results
from tumorscope.schema.results import Results
from tumorscope.schema.scores import Score
from tumorscope.schema.wording import with_interval
from tumorscope.support.files import read_csv

CLASSES = ("glioma", "meningioma", "no_tumor", "pituitary")


def texts(figure: Figure) -> list[str]:
    """Every text that a figure shows."""
    figure.canvas.draw()
    found = [artist for artist in figure.findobj() if isinstance(artist, Text)]
    return [text.get_text() for text in found if text.get_text()]


def test_class_distribution_counts_each_class_in_each_part() -> None:
    """Bars carry their numbers, classes and parts their names."""
    counts: dict[Part, np.ndarray] = {
        "train": np.array([31, 42]),
        "validation": np.array([5, 6]),
        "test": np.array([7, 8]),
    }
    shown = texts(figures.class_distribution(counts, ("glioma", "no tumour")))
    for word in ("glioma", "no tumour", "train", "validation", "test", "31", "42", "5", "8"):
        assert word in shown


def test_confusion_shows_counts_and_row_percentages() -> None:
    """A row of 3 and 1 reads 75 % and 25 %."""
    figure = figures.confusion(np.array([[3, 1], [0, 4]]), ("yes", "no"))
    shown = texts(figure)
    assert {"3\n75%", "1\n25%", "0\n0%", "4\n100%", "actual", "predicted"} <= set(shown)
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["yes", "no"]


def history_of(*stages: float) -> list[dict[str, float]]:
    """Scores of as many epochs, each of a stage."""
    return [
        {
            "epoch": float(n),
            "stage": stage,
            "train_loss": 1 / n,
            "validation_loss": 1.2 / n,
            "train_accuracy": 1 - 1 / (n + 1),
            "validation_accuracy": 0.9 - 1 / (n + 1),
        }
        for n, stage in enumerate(stages, 1)
    ]


def test_curves_mark_the_kept_epoch() -> None:
    """Both panels hold training, validation and a line at the epoch that was kept."""
    figure = figures.curves(history_of(0, 0, 0), kept=2)
    assert "kept: epoch 2" in texts(figure)
    for axes in figure.axes:
        train, validation, kept = axes.get_lines()
        assert np.asarray(kept.get_xdata()).tolist() == [2, 2]
        assert np.size(train.get_xdata()) == np.size(validation.get_xdata()) == 3
    assert np.asarray(figure.axes[0].get_lines()[0].get_ydata())[0] == pytest.approx(1.0)


def test_curves_mark_the_border_between_stages() -> None:
    """A line between the last epoch of one stage and the first of the next, named in the legend."""
    figure = figures.curves(history_of(0, 0, 1, 1), kept=4)
    assert "next stage" in texts(figure)
    for axes in figure.axes:
        assert np.asarray(axes.get_lines()[3].get_xdata()).tolist() == [2.5, 2.5]


def test_a_comparison_shows_scores_and_curves_of_every_run() -> None:
    """A dot, its value and its interval a run; one line a run in both panels below."""
    names = {"runs/a": Score(value=0.5, low=0.25, high=0.75, n=9), "runs/b": Score(value=1.0, n=9)}
    histories = {"runs/a": history_of(0, 0), "runs/b": history_of(0, 0, 0)}
    figure = figures.comparison(names, histories)
    assert {"runs/a", "runs/b", "50.0%", "100.0%"} <= set(texts(figure))
    scores, *panels = figure.axes
    assert [np.asarray(line.get_xdata()).tolist() for line in scores.get_lines()] == [
        [0.25, 0.75],
        [0.5],
        [1.0],
    ]
    assert [len(axes.get_lines()) for axes in panels] == [2, 2]


def test_grid_marks_wrong_answers() -> None:
    """A wrong answer has a cross and a coloured frame, a right one a tick."""
    pixels = np.full((8, 8), 99, np.uint8)
    figure = figures.grid([Tile(pixels, "1", "a", "a"), Tile(pixels, "2", "a", "b")])
    (axes,) = figure.axes
    right, wrong = axes.texts
    assert "✓ a" in right.get_text()
    assert "✗ b" in wrong.get_text()
    frames = [patch.get_edgecolor() for patch in axes.patches]
    assert frames[0] != frames[1]
    assert [np.unique(np.asarray(image.get_array())).tolist() for image in axes.images] == [
        [99]
    ] * 2


def test_run_holds_every_output(tiny_run: tumorscope.Run) -> None:
    """What the documentation lists is there."""
    found = {p.relative_to(tiny_run.folder).as_posix() for p in tiny_run.folder.rglob("*.*")}
    assert found == {
        *("recipe.yaml", "environment.json", "manifest.csv", "partition.csv", "left_out.csv"),
        *("metrics.csv", "checkpoints/last.ckpt"),
        *("checkpoints/stage-1.safetensors", "checkpoints/best.safetensors"),
        *("bundle/card.json", "bundle/model.onnx", "bundle/weights.safetensors"),
        *("bundle/gate.safetensors", "bundle/examples.bin", "bundle/README.md"),
        *("predictions.csv", "predictions-validation.csv", "results.json", "report.html"),
        *("figures/class_distribution.png", "figures/training_samples.png"),
        "figures/thresholds.png",
        *("figures/curves.png", "figures/confusion.png"),
        *("figures/samples.png", "figures/validation_images.png", "figures/test_images.png"),
        *("figures/against_controls.png", "figures/reliability.png", "figures/risk_coverage.png"),
        *("figures/subgroups.png", "figures/mistakes.png", "model-card.md", "evidence.md"),
        *("figures/likeness.png", "looking.png"),
    }


def test_what_all_files_share_is_said_and_not_drawn(tiny_run: tumorscope.Run) -> None:
    """Phantoms have one size and one kind of file."""
    page = " ".join((tiny_run.folder / "report.html").read_text(encoding="utf-8").split())
    assert "pixels. All files hold grey levels in one channel." in page
    assert "Width and height of the images" not in page


def test_figures_come_as_vectors_too(tiny_run: tumorscope.Run, tmp_path: Path) -> None:
    """SVG, whose text is text; PDF; the same figure the same bytes; another format is refused."""
    drawn = write_figure(tmp_path / "c.svg", figures.curves(history_of(0, 0), kept=1))
    assert b">epoch</text>" in drawn
    content = write_figure(tmp_path / "c.pdf", figures.curves(history_of(0, 0), kept=1))
    assert content.startswith(b"%PDF")
    assert write_figure(tmp_path / "d.pdf", figures.curves(history_of(0, 0), kept=1)) == content
    with pytest.raises(UsageError, match="no figure format 'gif': choose from svg, pdf"):
        tumorscope.evaluate(run=tiny_run.folder, figures=["gif"])


def assert_drawn(folder: Path, formats: Sequence[str]) -> None:
    """Every figure of a report is there in every format."""
    found = {path.name for path in (folder / "figures").iterdir()}
    names = {name.removesuffix(".png") for name in found if name.endswith(".png")}
    assert len(names) > 5
    assert found == {f"{name}.{form}" for name in names for form in formats}


def test_figures_are_pictures(tiny_run: tumorscope.Run) -> None:
    """Each file is a picture of some size with more than one colour."""
    for path in (tiny_run.folder / "figures").iterdir():
        with Image.open(path) as image:
            assert min(image.size) >= 300, path
            assert np.asarray(image.convert("L")).std() > 5, path


def test_report_is_self_contained(tiny_run: tumorscope.Run) -> None:
    """No request leaves the page, and what matters is on it."""
    page = (tiny_run.folder / "report.html").read_text(encoding="utf-8")
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', page)
    assert all(source.startswith(("data:image/png;base64,", "#")) for source in sources)
    assert not re.search(r"url\(|@import|<script|<link", page)
    assert f"{tiny_run.results.all.accuracy.value:.1%}" in page
    assert "not a medical device" in page
    assert 'name="viewport"' in page
    answers = read_csv(tiny_run.folder / "predictions.csv")
    mistakes = sum(row["truth"] != row["predicted"] for row in answers)
    assert page.count("<figure") == mistakes + 12 + 12 + 16
    assert tiny_run.results.summary in html.unescape(page)
    assert page.count('<figure class="wrong"') == page.count(">✗ ")
    for name in CLASSES:
        assert name in page


def test_results_agree_with_predictions(tiny_run: tumorscope.Run) -> None:
    """Recomputed by hand from `predictions.csv`, the scores are the same."""
    rows = read_csv(tiny_run.folder / "predictions.csv")
    results = Results.model_validate(json.loads((tiny_run.folder / "results.json").read_text()))
    assert list(rows[0]) == ["image", "truth", "predicted", *(f"probability_{c}" for c in CLASSES)]
    assert len(rows) == results.images.test == results.all.accuracy.n == 12
    right = sum(row["truth"] == row["predicted"] for row in rows)
    assert results.all.accuracy.value == pytest.approx(right / len(rows))
    recalls = []
    for name in CLASSES:
        own = [row for row in rows if row["truth"] == name]
        recalls.append(sum(row["predicted"] == name for row in own) / len(own))
        assert results.all.per_class[name].sensitivity.value == pytest.approx(recalls[-1])
        assert results.all.per_class[name].support == len(own)
    assert results.all.balanced_accuracy.value == pytest.approx(np.mean(recalls))
    assert set(results.parts) == {"train", "validation", "test"}


def test_every_field_of_the_results_is_documented() -> None:
    """The page on `results.json` names each field of the schema."""
    page = (Path(__file__).parents[2] / "docs" / "results-json.md").read_text(encoding="utf-8")
    schema = Results.model_json_schema()
    names = set(schema["properties"])
    for definition in schema["$defs"].values():
        names |= set(definition["properties"])
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []


def test_papers_answer_what_the_run_knows_and_leave_the_rest(tiny_run: tumorscope.Run) -> None:
    """Each item of both guidelines once, in order; the card opens with what Hugging Face reads."""
    lines = (tiny_run.folder / "evidence.md").read_text(encoding="utf-8").splitlines()[4:]
    items = [line.split(" | ")[0].removeprefix("| ") for line in lines]
    claim = [item for item in items if item.startswith("CLAIM 2024")]
    assert claim == [f"CLAIM 2024 {n}" for n in range(1, 45)]
    tripod = [item.split()[1] for item in items if item.startswith("TRIPOD+AI")]
    assert [int(re.sub("[a-z]", "", n)) for n in tripod] == sorted(
        int(re.sub("[a-z]", "", n)) for n in tripod
    )
    assert {int(re.sub("[a-z]", "", n)) for n in tripod} == set(range(1, 28))
    assert len(items) == len(set(items))
    left = sum("To be supplied by the authors." in line for line in lines)
    assert 30 < left < len(lines) - 30
    kept = read_card(tiny_run)["provenance"]["kept_epoch"]
    assert any(f"Epoch {kept}, by" in line for line in lines)
    card = (tiny_run.folder / "model-card.md").read_text(encoding="utf-8")
    front = yaml.safe_load(card.split("---")[1])
    assert front["pipeline_tag"] == "image-classification"
    (result,) = front["model-index"][0]["results"]
    assert result["metrics"][0]["value"] == tiny_run.results.all.accuracy.value
    assert tiny_run.results.summary in card


def read_card(run: tumorscope.Run) -> dict[str, Any]:
    """The card of a run's bundle."""
    found: dict[str, Any] = json.loads((run.folder / "bundle" / "card.json").read_text())
    return found


def test_the_model_card_ends_each_sentence(tiny_run: tumorscope.Run) -> None:
    """The recipe's summary and the count of images are two sentences."""
    card = (tiny_run.folder / "model-card.md").read_text(encoding="utf-8")
    summary = read_card(tiny_run)["recipe"]["summary"]
    assert f"{summary}. Trained on 24 images;" in card


def test_the_loss_of_a_part_is_after_the_temperature(tiny_run: tumorscope.Run) -> None:
    """Without the temperature it is the kept epoch's loss in `metrics.csv`."""
    card = read_card(tiny_run)
    rows = read_csv(tiny_run.folder / "predictions-validation.csv")
    answers = np.array([[float(row[f"probability_{c}"]) for c in CLASSES] for row in rows])
    truth = np.array([CLASSES.index(row["truth"]) for row in rows])
    after = tiny_run.results.parts["validation"].loss.value
    assert log_losses(truth, answers).mean() == pytest.approx(after, abs=1e-4)
    before = tempered(answers, 1 / card["calibration"]["temperature"])
    kept = read_csv(tiny_run.folder / "metrics.csv")[card["provenance"]["kept_epoch"] - 1]
    assert log_losses(truth, before).mean() == pytest.approx(
        float(kept["validation_loss"]), abs=2e-3
    )


def test_results_of_another_format_say_what_to_do(tiny_run: tumorscope.Run, tmp_path: Path) -> None:
    """One sentence that names both formats and the command."""
    (tmp_path / "results.json").write_text('{"format": 2}')
    with pytest.raises(UsageError, match=r"format 2 .* format 4: evaluate the run again with"):
        read_results(tmp_path)


def test_a_run_is_loaded_again(tiny_run: tumorscope.Run, tmp_path: Path) -> None:
    """The same results come back; a folder that is no run gets a sentence."""
    assert tumorscope.load_run(str(tiny_run.folder)) == tiny_run
    with pytest.raises(UsageError, match="does not exist: give the folder of a run"):
        tumorscope.load_run(tmp_path / "none")


def test_runs_and_results_show_themselves_in_a_notebook(tiny_run: tumorscope.Run) -> None:
    """A small table with the headline, its interval and the path of the report; text is escaped."""
    shown = tiny_run._repr_html_()
    accuracy = html.escape(with_interval(tiny_run.results.judged.accuracy))
    for text in (accuracy, html.escape(str(tiny_run.folder / "report.html")), "<table>"):
        assert text in shown
    assert accuracy in tiny_run.results._repr_html_()
    answer = Prediction("<b>.png", "glioma", {"glioma": 0.75, "no_tumor": 0.25}, accepted=True)
    assert "&lt;b&gt;.png glioma" in answer._repr_html_()
    assert "<td>75.0%</td>" in answer._repr_html_()
