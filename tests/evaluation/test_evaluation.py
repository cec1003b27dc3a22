"""What an evaluation says, and what it refuses to say."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import tumorscope
from tests.conftest import Command, Heard
from tumorscope.data.phantom import write_phantoms
from tumorscope.errors import DataError, UsageError
from tumorscope.evaluation import Cases, EvaluationOptions, score_cases, score_images
from tumorscope.evaluation.breakdown import count_confused, score_patients, score_subgroups
from tumorscope.evaluation.confidence import score_calibration, score_selection, score_sets
from tumorscope.evaluation.mapping import MappedModel, map_classes
from tumorscope.evaluation.summary import (
    broken_promises,
    explanations,
    summarize_results,
    weaknesses,
)
from tumorscope.metrics.calibration import tempered
from tumorscope.runs.external import external_folder
from tumorscope.schema.card import Card, ModelCalibration
from tumorscope.schema.scores import Score
from tumorscope.support.files import read_csv

NAMES = ("glioma", "meningioma", "no_tumor")


def cases(patients: int = 20, slices: int = 6, skill: float = 2.0, seed: int = 0) -> Cases:
    """Answers of some skill for slices in patients of one class each."""
    generator = np.random.default_rng(seed)
    truth = np.repeat(np.arange(patients) % 3, slices)
    logits = generator.normal(0, 1, (len(truth), 3))
    logits[np.arange(len(truth)), truth] += skill
    chances = np.exp(logits)
    groups = [f"g{n // slices}" for n in range(len(truth))]
    return Cases(truth, chances / chances.sum(axis=1, keepdims=True), groups)


def test_every_score_has_its_n_and_an_interval_around_it() -> None:
    """On ordinary data nothing is left out."""
    found = score_cases(cases(), NAMES)
    for name, score in found:
        if hasattr(score, "low"):
            assert score.value is not None, name
            assert score.low is not None, name
            assert score.low < score.value < score.high, name
            assert score.n == 120, name
    for name, scores in found.per_class.items():
        own = 42 if name == "glioma" else 42 if name == "meningioma" else 36
        assert scores.support == scores.sensitivity.n == own
        assert scores.specificity.n == 120 - own
        for score in (scores.sensitivity, scores.specificity, scores.auroc, scores.ppv):
            assert score.low is not None, name
            assert score.high is not None, name
    assert found.groups == 20


@pytest.mark.parametrize("bad", ["nan", "sum"])
def test_probabilities_that_are_none_are_refused(bad: str) -> None:
    """A nan, or rows that do not sum to 1, end in a sentence."""
    good = cases()
    values = good.probabilities.copy()
    values[3, 1] = np.nan if bad == "nan" else 0.9
    with pytest.raises(DataError, match="not numbers" if bad == "nan" else "sum to 1"):
        Cases(good.truth, values, good.groups)


def test_a_class_without_images_is_not_applicable() -> None:
    """Its scores are none, the means leave it out, and the page says so; no nan is written."""
    whole = cases()
    some = whole.some(whole.truth != 2)
    found = score_cases(some, NAMES)
    assert found.per_class["no_tumor"].sensitivity.value is None
    assert found.per_class["no_tumor"].auroc.value is None
    assert found.balanced_accuracy.value is not None
    present = [found.per_class[name] for name in NAMES[:2]]
    assert found.macro.f1.value == pytest.approx(np.mean([own.f1.value for own in present]))
    assert found.absent == ["no_tumor"]
    assert "NaN" not in found.model_dump_json()
    said = weaknesses(found, some, leaks=0, patients_unknown=0)
    assert any("No test image is of no_tumor" in sentence for sentence in said)


@pytest.mark.parametrize(("patients", "slices"), [(1, 6), (1, 1), (2, 1)])
def test_one_patient_or_one_image_has_scores_without_intervals(patients: int, slices: int) -> None:
    """What cannot be said is left out, in words."""
    few = cases(patients, slices)
    found = score_images(
        few, {"majority": few.truth * 0, "look_up": few.truth, "file_facts": few.truth}, NAMES
    )
    assert found.accuracy.value is not None
    assert (found.accuracy.low is None) == (patients == 1)
    assert "NaN" not in found.model_dump_json()
    sets = score_sets(few, ModelCalibration(), NAMES)
    assert sets.per_class["glioma"].threshold is None
    for part in (score_calibration(few, ModelCalibration()), score_selection(few), sets):
        assert "NaN" not in part.model_dump_json()
    said = " ".join(weaknesses(found, few, leaks=0, patients_unknown=0))
    assert ("no interval" in said) == (patients == 1)


def test_the_first_line_names_a_control_that_is_not_beaten() -> None:
    """Worse, not shown, beaten."""
    good, bad = cases(60, 6, 3.0), cases(60, 6, 0.0)
    answers = {
        "majority": good.truth * 0,
        "look_up": cases(60, 6, 1.0).predicted,
        "file_facts": good.truth * 0,
    }
    beaten = score_images(good, answers, NAMES)
    assert beaten.controls.verdict == "beaten"
    assert beaten.controls.best == "look_up"
    text = summarize_results(beaten, None, 0)
    assert text.startswith("The model beats the best control (thumbnail look-up) by ")
    assert "95 % interval" in text
    worse = score_images(bad, answers, NAMES)
    assert worse.controls.verdict == "worse"
    text = summarize_results(worse, None, 0)
    assert text.startswith("The model is worse than the best control (thumbnail look-up) by ")
    assert "-" not in text.split(":")[0].replace("look-up", "")  # magnitudes carry no sign
    assert "+" not in text
    equal = score_images(good, {**answers, "look_up": good.predicted}, NAMES)
    assert equal.controls.verdict == "not shown"
    text = summarize_results(equal, None, 0)
    assert text.startswith("The model is not shown to beat")
    assert "it is no better and no worse, and the 95 % interval runs from" in text
    assert equal.controls.gain.low is not None
    assert equal.controls.gain.low < 0  # no difference among few groups is no proof of none


def test_promises_that_the_test_images_contradict_are_said() -> None:
    """A temperature that made calibration worse, and sets that miss more often than they should."""
    sharp = cases(60, 6, 2.0)
    overdone = ModelCalibration(temperature=5.0, thresholds=(0.01, 0.99, None), images=(99, 99, 1))
    tempered_cases = Cases(
        sharp.truth, tempered(sharp.probabilities, overdone.temperature), sharp.groups
    )
    said = broken_promises(
        score_calibration(tempered_cases, overdone), score_sets(tempered_cases, overdone, NAMES)
    )
    assert len(said) == 2
    assert said[0].startswith("The temperature, 5.00, made calibration worse")
    assert said[1].startswith("Sets of labels should hold the true class for 90% of the images of ")
    assert "meningioma" in said[1]
    kept = ModelCalibration(thresholds=(0.0, 0.0, 0.0), images=(99, 99, 99))
    assert broken_promises(score_calibration(sharp, kept), score_sets(sharp, kept, NAMES)) == []


def test_with_leaks_the_answer_is_that_of_the_clean_part() -> None:
    """The published number comes second, and is called by its name."""
    whole = cases(40)
    answers = {"majority": whole.truth * 0, "look_up": whole.truth, "file_facts": whole.truth * 0}
    leaking = np.arange(len(whole)) % 3 == 0
    scores = score_images(whole, answers, NAMES)
    new = score_images(whole.some(~leaking), {n: a[~leaking] for n, a in answers.items()}, NAMES)
    text = summarize_results(scores, new, int(leaking.sum()))
    assert "160 new test images" in text
    assert "With the 80 that leak this would read" in text
    assert "80 of these are not new" in summarize_results(scores, None, 80)
    one = np.arange(len(whole)) == 0
    few = score_images(whole.some(one), {n: a[one] for n, a in answers.items()}, NAMES)
    text = summarize_results(scores, few, 239)
    assert "240 test images" in text
    assert text.endswith("so the score is too high. Only 1, in 1 group, is new: too few to judge.")


def test_patients_are_scored_by_their_mean_probabilities() -> None:
    """Unknown patients and those of two classes are left out and counted."""
    whole = cases(10)
    patients: list[str | None] = [f"p{n // 6}" for n in range(len(whole))]
    patients[6:12] = patients[0:6]  # two classes under one name
    patients[12:18] = [None] * 6
    found = score_patients(whole, patients, NAMES)
    assert found is not None
    assert found.n == 7
    assert found.of_two_classes == 1
    assert found.without_patient == 6
    by_hand = [
        whole.probabilities[n : n + 6].mean(axis=0).argmax() == whole.truth[n]
        for n in range(18, 60, 6)
    ]
    assert found.accuracy.value == pytest.approx(np.mean(by_hand))
    assert score_patients(whole, [None] * 60, NAMES) is None


def test_subgroups_tell_values_apart_and_put_the_rare_together() -> None:
    """Few values as they are, numbers by quarter, names by frequency; one value says nothing."""
    whole = cases(40)
    n = len(whole)
    columns = {
        "constant": ["a"] * n,
        "plane": ["axial", "coronal"] * (n // 2),
        "age": [str(20 + k % 60) for k in range(n)],
        "site": [f"s{min(k, 20)}" for k in range(n)],
    }
    found = score_subgroups(whole, columns)
    values = {c: [g.value for g in found if g.column == c] for c in columns}
    assert values["constant"] == []
    assert values["plane"] == ["axial", "coronal"]
    assert values["age"] == ["20 to 34", "34 to 49", "49 to 64", "64 to 79"]
    assert values["site"][-1] == "other"
    assert len(values["site"]) == 8
    for column in ("plane", "age", "site"):
        assert sum(g.accuracy.n for g in found if g.column == column) == n


def test_confused_pairs_come_worst_first() -> None:
    """Counts and shares of the actual class."""
    found = count_confused(np.array([[5, 3, 2], [0, 9, 1], [0, 0, 4]]), NAMES)
    assert [(p.actual, p.predicted, p.images) for p in found] == [
        ("glioma", "meningioma", 3),
        ("glioma", "no_tumor", 2),
        ("meningioma", "no_tumor", 1),
    ]
    assert found[0].share == pytest.approx(0.3)


def test_stated_prevalences_are_shares_that_sum_to_one() -> None:
    """What is not given is shared out; what cannot be is refused."""
    assert EvaluationOptions(prevalence={"glioma": 0.5}).shares(NAMES) == [0.5, 0.25, 0.25]
    assert EvaluationOptions().shares(NAMES) is None
    for wrong in ({"lymphoma": 0.1}, {"glioma": 1.4}, {"glioma": 0.7, "no_tumor": 0.6}):
        with pytest.raises(UsageError):
            EvaluationOptions(prevalence=wrong).shares(NAMES)


def test_classes_are_mapped_by_name_by_tumour_and_as_told() -> None:
    """Spellings, a set that only knows tumours, and what names cannot tell."""
    found = map_classes(NAMES, ["Glioma", "No Tumor", "pituitary"])
    assert found.names == ("Glioma", "No Tumor", "meningioma")
    assert list(found.of_model.values()) == ["Glioma", "meningioma", "No Tumor"]
    assert found.of_set == {"Glioma": "Glioma", "No Tumor": "No Tumor"}
    assert found.note == "Classes: glioma as Glioma, no_tumor as No Tumor."
    both = map_classes(NAMES, ["no", "yes"])
    assert both.names == ("no", "yes")
    assert list(both.of_model.values()) == ["yes", "yes", "no"]
    told = map_classes(("a", "b"), ["x", "y"], [("a", "y"), ("b", "x")])
    assert told.of_model == {"a": "y", "b": "x"}
    with pytest.raises(UsageError, match="--classes MODEL=SET"):
        map_classes(("a", "b"), ["x", "y"])
    with pytest.raises(UsageError, match="no class 'z'"):
        map_classes(("a", "b"), ["x", "y"], [("a", "z")])


def test_one_class_can_be_several_labels() -> None:
    """A model that tells yes from no is judged on four classes, by name or as told."""
    labels = ["glioma_tumor", "meningioma_tumor", "no_tumor", "lymphoma"]
    found = map_classes(("no", "yes"), labels)
    assert found.names == ("yes", "no_tumor")
    assert found.of_set == {
        "no_tumor": "no_tumor",
        "glioma_tumor": "yes",
        "meningioma_tumor": "yes",
    }
    assert "yes as glioma_tumor or meningioma_tumor" in found.note
    told = map_classes(("no", "yes"), labels, [("yes", "lymphoma"), ("yes", "glioma_tumor")])
    assert set(told.of_set) == {"lymphoma", "glioma_tumor", "no_tumor"}
    for given, words in (
        ([("yes", "lymphoma")] * 2, "given twice"),
        ([("yes", "lymphoma"), ("yes", "glioma_tumor"), ("no", "lymphoma")], "in common"),
    ):
        with pytest.raises(UsageError, match=words):
            map_classes(("no", "yes"), labels, given)


@pytest.fixture(scope="module")
def elsewhere(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another set of phantoms with two classes by other names, and copies of the first set."""
    top = tmp_path_factory.mktemp("elsewhere")
    manifest = write_phantoms(top / "raw", patients=3, slices=2, first=50)
    for row in read_csv(manifest):
        label = "healthy" if row["label"] == "no_tumor" else "Tumour"
        target = top / "other" / label / row["image"].replace("/", "-")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(manifest.parent / row["image"], target)
    for number, row in enumerate(read_csv(phantoms)):
        label = "healthy" if row["label"] == "no_tumor" else "Tumour"
        with Image.open(phantoms.parent / row["image"]) as image:
            image.save(top / "other" / label / f"again-{number}.jpg", quality=80)
    return top / "other"


def test_another_set_is_tested_without_what_it_shares(
    tiny_run: tumorscope.Run, phantoms: Path, elsewhere: Path, tmp_path: Path
) -> None:
    """Re-encoded training images are taken out; those of the run's test part may stay."""
    folder = tmp_path / "run"
    shutil.copytree(tiny_run.folder, folder)
    heard = Heard()
    found = tumorscope.evaluate(run=folder, data=elsewhere, progress=heard)
    parts = [row["part"] for row in read_csv(folder / "partition.csv")]
    assert found.split.method == "external"
    assert found.classes == ("Tumour", "healthy")
    assert found.all.n == 4 * 3 * 2 + parts.count("test")
    assert f"except {len(parts) - parts.count('test')} that have a copy" in found.split.note
    assert "glioma as Tumour" in found.split.note
    assert found.calibration.note.startswith("Not applicable")
    out = folder / "external" / "other"
    assert {p.name for p in out.iterdir()} >= {"results.json", "report.html", "predictions.csv"}
    assert json.loads((out / "results.json").read_text())["leaks"] == 0
    rows = read_csv(out / "predictions.csv")
    looked = found.explained
    assert looked is not None
    assert all(set(own.per_class) == set(found.classes) for own in looked.reliance)
    assert "What else does it know?" in (out / "report.html").read_text(encoding="utf-8")
    assert len(rows) == found.all.n
    assert {row["truth"] for row in rows} == {"Tumour", "healthy"}
    before = (folder / "results.json").read_bytes()
    assert before == (tiny_run.folder / "results.json").read_bytes()


def test_its_own_data_elsewhere_gives_the_same_results(
    tiny_run: tumorscope.Run, phantoms: Path, tmp_path: Path
) -> None:
    """Data that was moved is recognised by what it is."""
    shutil.copytree(phantoms.parent, tmp_path / "moved")
    shutil.copytree(tiny_run.folder, tmp_path / "run")
    found = tumorscope.evaluate(run=tmp_path / "run", data=tmp_path / "moved" / phantoms.name)
    assert found.all.accuracy == tiny_run.results.all.accuracy
    assert found.split.method == tiny_run.results.split.method


def test_mistakes_at_the_command_line(
    tiny_run: tumorscope.Run, command: Command, class_folders: object
) -> None:
    """A column that is not there, a class that is not there, a share that is none."""
    for options, sentence in (
        (["--by", "scanner"], "no column 'scanner'"),
        (["--prevalence", "glioma=many"], "not 'many'"),
        (["--prevalence", "lymphoma=0.1"], "no class 'lymphoma'"),
        (["--classes", "glioma"], "NAME=VALUE"),
        (["--classes", "glioma=tumor"], "of another set (--data)"),
    ):
        done = command("evaluate", tiny_run.folder, "--quiet", *options)
        assert done.returncode == 2, done.stderr
        assert sentence in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_a_shift_between_parts_is_told() -> None:
    """Validation right and test wrong, a class that is not found, doubtful labels: all are said."""
    generator = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], 40)
    chances = np.eye(3)[np.where(truth == 0, generator.integers(1, 3, 120), truth)]
    found = score_cases(Cases(truth, chances, [str(n) for n in range(120)]), ("a", "b", "c"))
    high = Score(value=0.95, low=0.9, high=0.98, n=100)
    said = explanations(found, high, 3)
    assert "may not be like the training part" in said[0]
    assert "95.0% (90.0% to 98.0%)" in said[0]
    assert said[1].startswith("a is recognised less often than the average class: 0.0%")
    assert said[2].startswith("3 test images are known")
    fair = score_cases(
        Cases(truth, np.eye(3)[truth], [str(n) for n in range(120)]), ("a", "b", "c")
    )
    assert explanations(fair, high, 0) == []


class Sure:
    """A model that knows two members and no more."""

    def __init__(self, card: Card) -> None:
        self.card = card

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Answer the same for all images."""
        return np.tile(np.array([0.5, 0.2, 0.2, 0.1], np.float32), (len(pixels), 1))


def test_a_mapped_model_adds_up_probabilities_and_promises_nothing_else(
    tiny_run: tumorscope.Run,
) -> None:
    """Card and probabilities are all that an evaluation needs, and all that there is."""
    card = tumorscope.Predictor.load(tiny_run.folder).card
    mapping = map_classes(card.classes, ["no", "yes"])
    mapped = MappedModel(Sure(card), mapping)
    answers = mapped.probabilities(np.zeros((3, 32, 32), np.uint8))
    tumour = [0.5, 0.2, 0.2, 0.1][card.classes.index("no_tumor")]
    assert answers[:, list(mapped.card.classes).index("no")] == pytest.approx([tumour] * 3)
    assert answers.sum(axis=1) == pytest.approx([1, 1, 1])
    assert [name for name in dir(mapped) if not name.startswith("_")] == ["card", "probabilities"]


def test_sets_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    """The second gets a number; each finds its own again."""
    first, second = tmp_path / "a" / "set", tmp_path / "b" / "set"
    for data, name in ((first, "set"), (second, "set-2"), (first, "set")):
        folder = external_folder(tmp_path / "run", data)
        assert folder == tmp_path / "run" / "external" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "data.json").write_text(json.dumps({"data": str(data)}))
