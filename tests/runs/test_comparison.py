"""Several trainings: side by side, over seeds, followed elsewhere."""

import json
import re
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import tumorscope
from tests.conftest import TINY, Command
from tumorscope.errors import UsageError
from tumorscope.report import style
from tumorscope.schema.recipe import load_recipe
from tumorscope.support.files import read_csv, write_csv


@pytest.fixture(scope="module")
def series(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> tumorscope.Series:
    """Two trainings of one epoch that differ in the seed."""
    out = tmp_path_factory.mktemp("series") / "seeds"
    overrides = [*TINY, "epochs=1", "seed=4"]
    return tumorscope.train_seeds(
        seeds=2,
        data=phantoms,
        overrides=overrides,
        out=out,
        device="cpu",
        loggers=("tensorboard", "mlflow"),
    )


def test_seeds_share_their_parts_and_differ_otherwise(series: tumorscope.Series) -> None:
    """What is compared is chance in training, so the images of each part are the same."""
    first, second = (run.folder for run in series.runs)
    assert [first.name, second.name] == ["seed-4", "seed-5"]
    assert (first / "partition.csv").read_bytes() == (second / "partition.csv").read_bytes()
    assert (first / "metrics.csv").read_bytes() != (second / "metrics.csv").read_bytes()
    for run in series.runs:
        began = load_recipe(run.folder / "recipe.yaml")
        assert began.seed == int(run.folder.name.removeprefix("seed-"))
    kept = json.loads((series.folder / "seeds.json").read_text())
    values = [run.results.all.accuracy.value for run in series.runs]
    assert kept["scores"]["accuracy"]["values"] == values
    assert kept["seeds"] == [4, 5]
    said = [
        [row["predicted"] for row in read_csv(run.folder / "predictions.csv")]
        for run in series.runs
    ]
    assert kept["alike"] == pytest.approx(np.mean([a == b for a, b in zip(*said, strict=True)]))


def test_seeds_have_a_page(series: tumorscope.Series) -> None:
    """It leads with what they come to together, and a link to each seed's report works."""
    page = (series.folder / "report.html").read_text(encoding="utf-8")
    assert page.index(series.summary.summary) < page.index("<h2>")
    beaten = [run.results.judged.controls.verdict == "beaten" for run in series.runs]
    shown = ("no seed is", "one seed is", "every seed is")[sum(beaten)]
    assert series.summary.summary.endswith(f"{shown} shown to beat it.")
    assert ('class="verdict beaten"' in page) == all(beaten)
    links = re.findall(r'href="([^"#]+)"', page)
    assert links == ["seed-4/report.html", "seed-5/report.html"]
    assert all((series.folder / link).is_file() for link in links)
    assert (series.folder / "figures" / "seeds.png").is_file()


def test_finished_seeds_are_not_trained_again(series: tumorscope.Series, phantoms: Path) -> None:
    """A series that was stopped goes on with what is missing."""
    stamps = [(run.folder / "checkpoints" / "last.ckpt").stat().st_mtime for run in series.runs]
    options = {"data": phantoms, "overrides": [*TINY, "epochs=1", "seed=4"], "device": "cpu"}
    with pytest.raises(UsageError, match="exists: give --resume"):
        tumorscope.train_seeds(seeds=2, out=series.folder, **options)  # type: ignore[arg-type]
    again = tumorscope.train_seeds(seeds=2, out=series.folder, resume=True, **options)  # type: ignore[arg-type]
    assert again.summary == series.summary
    assert stamps == [
        (run.folder / "checkpoints" / "last.ckpt").stat().st_mtime for run in again.runs
    ]


def test_tensorboard_has_the_scores_of_metrics_csv(series: tumorscope.Series) -> None:
    """Read back with TensorBoard's own reader."""
    folder = series.runs[0].folder
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    (row,) = read_csv(folder / "metrics.csv")
    for name in ("train_loss", "validation_loss", "validation_accuracy"):
        (scalar,) = events.Scalars(name)
        assert scalar.step == 1
        assert scalar.value == pytest.approx(float(row[name]), rel=1e-5)


def test_mlflow_has_them_too(series: tumorscope.Series) -> None:
    """Both runs lie in the database beside their folders."""
    with sqlite3.connect(series.folder / "mlflow.db") as database:
        found = database.execute(
            "select r.name, m.value from metrics m join runs r on r.run_uuid = m.run_uuid "
            "where m.key = 'validation_loss' order by r.name"
        ).fetchall()
    assert [name for name, _ in found] == ["seed-4", "seed-5"]
    for run, (_, value) in zip(series.runs, found, strict=True):
        (row,) = read_csv(run.folder / "metrics.csv")
        assert value == pytest.approx(float(row["validation_loss"]), rel=1e-5)


def test_runs_stand_side_by_side(
    series: tumorscope.Series, tiny_run: tumorscope.Run, tmp_path: Path
) -> None:
    """Scores, pairs on the images both were tested on, and a figure of all curves."""
    folders = [run.folder for run in series.runs]
    made = tumorscope.compare(runs=folders, out=tmp_path / "c.png")
    assert [run.images for run in made.numbers.runs] == [series.summary.images] * 2
    (pair,) = made.numbers.pairs
    first, second = (run.results.all.accuracy.value for run in series.runs)
    assert first is not None
    assert second is not None
    assert pair.images == series.summary.images
    assert pair.gain == pytest.approx(second - first)
    assert pair.p_value is not None
    assert made.figure.stat().st_size > 10_000


def test_the_command_line_compares_and_refuses(
    series: tumorscope.Series, command: Command, tmp_path: Path
) -> None:
    """A table within 80 columns, JSON, and a sentence for each mistake."""
    runs = [run.folder for run in series.runs]
    ran = command("compare", *runs)
    assert ran.returncode == 0, ran.stderr
    assert re.search(r"accuracy [+-][\d.]+ points \(.* to .*\) on \d+ images, p ", ran.stdout)
    assert (tmp_path / "comparison.png").is_file()
    assert json.loads(command("compare", *runs, "--json").stdout)["pairs"][0]["images"] > 0
    for arguments, sentence in (
        (runs[:1], "One run cannot be compared"),
        ([runs[0], runs[0]], "named twice"),
        ([runs[0], tmp_path], "is not a run of"),
        ([*runs, "--out", "c.gif"], "does not end in .png, .svg or .pdf"),
    ):
        failed = command("compare", *arguments)
        assert failed.returncode == 2
        assert sentence in failed.stderr
        assert "Traceback" not in failed.stderr


def test_wrong_loggers_and_seeds_get_a_sentence(phantoms: Path, tmp_path: Path) -> None:
    """Before anything is read."""
    with pytest.raises(UsageError, match="no logger 'wandb': choose from tensorboard, mlflow"):
        tumorscope.train(data=phantoms, loggers=["wandb"], out=tmp_path / "x")
    with pytest.raises(UsageError, match="--seeds 1 shows no spread"):
        tumorscope.train_seeds(seeds=1, data=phantoms)
    with pytest.raises(TypeError, match="unexpected keyword argument 'recipie'"):
        tumorscope.train(data=phantoms, recipie="best")  # type: ignore[call-arg]


def test_a_legend_tells_the_runs_apart(
    series: tumorscope.Series, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs are named by what their paths do not share, however long these are."""
    drawn: list[Figure] = []
    monkeypatch.setattr(style, "write_figure", lambda _, figure: drawn.append(figure))
    tumorscope.compare(runs=[run.folder for run in series.runs], out=tmp_path / "c.png")
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == ["seed-4", "seed-5"]


def test_images_are_compared_by_what_they_hold(tiny_run: tumorscope.Run, tmp_path: Path) -> None:
    """Other names do not part them, and one name does not join them; copies keep their number."""
    shutil.copytree(tiny_run.folder, tmp_path / "renamed")
    shutil.copytree(tiny_run.folder, tmp_path / "replaced")
    for name in ("manifest.csv", "partition.csv", "predictions.csv"):
        path = tmp_path / "renamed" / name
        path.write_text(path.read_text().replace("images/", "pictures/"))
    rows = read_csv(tmp_path / "replaced" / "manifest.csv")
    write_csv(
        tmp_path / "replaced" / "manifest.csv",
        tuple(rows[0]),
        [(*list(row.values())[:-1], f"0{row['sha256'][1:]}") for row in rows],
    )
    folders = [tiny_run.folder, tmp_path / "renamed", tmp_path / "replaced"]
    renamed, replaced, _ = tumorscope.compare(runs=folders, out=tmp_path / "c.png").numbers.pairs
    tested = tiny_run.results.images.test
    assert (renamed.images, renamed.other_content) == (tested, 0)
    assert replaced.images < tested
    assert replaced.images + replaced.other_content == tested
