"""Classes from the boxes' numbers: named in the recipe, beside the data, or by the folders."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tumorscope
from tests.conftest import Heard
from tumorscope.data.dataset import read_store
from tumorscope.data.layouts import read_manifest
from tumorscope.data.layouts.box_labels import label_by_boxes
from tumorscope.errors import DataError
from tumorscope.schema.recipe import load_recipe


@pytest.fixture
def boxed(tmp_path: Path) -> Path:
    """Two folders of five images; one image of `a` has the number of `b`, one has no box."""
    generator = np.random.default_rng(0)
    for number, label in enumerate("ab"):
        for part in ("images", "labels"):
            (tmp_path / label / part).mkdir(parents=True)
        for n in range(5):
            pixels = generator.integers(0, 256, (24, 24), np.uint8)
            Image.fromarray(pixels).save(tmp_path / label / "images" / f"{n}.png")
            marked = 1 if (label, n) == ("a", 0) else number
            if (label, n) != ("b", 4):
                text = f"{marked} 0.5 0.5 0.2 0.2\n"
                (tmp_path / label / "labels" / f"{n}.txt").write_text(text)
    return tmp_path


def test_names_are_learned_from_the_folders(boxed: Path) -> None:
    """Each number is named for its most frequent folder, and what differs is counted."""
    found = label_by_boxes(read_manifest(boxed), (), "agree")
    labels = {row.image: row.label for row in found.rows}
    assert labels["a/images/0.png"] == "b"
    assert labels["a/images/1.png"] == "a"
    assert "b/images/4.png" not in labels
    assert [(f.image, f.reason) for f in found.left_out] == [("b/images/4.png", "no label file")]
    assert "0 a, 1 b; named for each number's most frequent folder" in found.note
    assert "1 of 9 images lie in another class's folder" in found.note


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("data.yaml", "names: [glioma, none]"),
        ("data.yaml", "names: {0: glioma, 1: none}"),
        ("classes.txt", "glioma\nnone\n"),
    ],
)
def test_names_stand_beside_the_data(boxed: Path, file: str, text: str) -> None:
    """YOLO's own files are read."""
    manifest = read_manifest(boxed)
    (boxed / file).write_text(text)
    found = label_by_boxes(manifest, (), "agree")
    assert set(found.classes) == {"glioma", "none"}
    assert f"named in {file}" in found.note


def test_names_of_the_recipe_come_first(boxed: Path) -> None:
    """`box_classes` wins over what lies beside the data."""
    found = label_by_boxes(read_manifest(boxed), ("x", "y"), "agree")
    assert set(found.classes) == {"x", "y"}


@pytest.mark.parametrize(
    ("choice", "labels", "said"),
    [
        ("first", "bab", "the first line of the label file decides"),
        ("majority", "aab", "the number of most boxes decides"),
        ("agree", "--b", "they are left out"),
    ],
)
def test_boxes_that_disagree(boxed: Path, choice: str, labels: str, said: str) -> None:
    """The first line, the most, the first of as many, or none; counted aloud."""
    for n, ids in enumerate(([1, 0, 0], [0, 1], [1, 1])):
        lines = [f"{number} 0.5 0.5 0.2 0.2" for number in ids]
        (boxed / "a" / "labels" / f"{n}.txt").write_text("\n".join(lines))
    found = label_by_boxes(read_manifest(boxed), ("a", "b"), choice)
    by_image = {row.image: row.label for row in found.rows}
    assert "".join(by_image.get(f"a/images/{n}.png", "-") for n in range(3)) == labels
    assert f"2 images have boxes of several classes: {said}" in found.note


def test_missing_and_empty_label_files_are_counted(boxed: Path) -> None:
    """Used without boxes or left out, with their reasons; a set without label files has none."""
    (boxed / "a" / "labels" / "0.txt").unlink()
    (boxed / "a" / "labels" / "1.txt").write_text("")
    manifest = read_manifest(boxed)
    assert manifest.unmarked == {
        "a/images/0.png": "no label file",
        "a/images/1.png": "empty label file",
        "b/images/4.png": "no label file",
    }
    labelled = label_by_boxes(manifest, ("a", "b"), "first")
    assert {file.image: file.reason for file in labelled.left_out} == manifest.unmarked
    for label_from, said in (("folder", "used without boxes"), ("boxes", "left out")):
        heard = Heard()
        settings = ["image_size=32", f"label_from={label_from}", "box_classes=[a, b]"]
        read_store(boxed, load_recipe("cnn-baseline", settings), heard, strict=False)
        counted = "2 without a label file and 1 with an empty one"
        assert any(counted in line and said in line for line in heard.lines)


def test_mistakes_get_a_sentence(boxed: Path, class_folders: object) -> None:
    """A number without a name, a broken file, no boxes at all."""
    with pytest.raises(DataError, match="class number 1, which has no name"):
        label_by_boxes(read_manifest(boxed), ("only",), "agree")
    (boxed / "data.yaml").write_text("names: 7")
    with pytest.raises(DataError, match="has no list 'names'"):
        label_by_boxes(read_manifest(boxed), (), "agree")


def test_boxes_that_are_demanded_and_missing_stop_before_an_image_is_read(tmp_path: Path) -> None:
    """Unreadable images show that nothing was decoded."""
    for label in "ab":
        (tmp_path / label).mkdir()
        for n in range(4):
            (tmp_path / label / f"{n}.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="has no boxes, and the recipe needs them"):
        tumorscope.train(data=tmp_path, recipe="resnet50-boxes", overrides=["pretrained=false"])


def test_the_real_boxes_agree_with_their_folders(real_data: Path) -> None:
    """In the set with boxes the numbers are 0 glioma, 1 meningioma, 2 no tumour, 3 pituitary."""
    note = label_by_boxes(read_manifest(real_data / "boxes"), (), "agree").note
    assert "0 Glioma, 1 Meningioma, 2 No Tumor, 3 Pituitary" in note
