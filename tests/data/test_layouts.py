"""Each layout is recognised by itself, on the real sets and on small ones."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tumorscope.data.layouts import read_manifest
from tumorscope.errors import DataError

Maker = Callable[..., Path]


def test_published_splits_of_sartaj(real_data: Path) -> None:
    """`Training/` and `Testing/` with four class folders each."""
    manifest = read_manifest(real_data / "sartaj")
    assert manifest.layout == "published splits"
    assert Counter(row.split for row in manifest.rows) == {"train": 2870, "test": 394}
    assert manifest.classes == ("glioma_tumor", "meningioma_tumor", "no_tumor", "pituitary_tumor")


def test_class_folders_of_yesno(real_data: Path) -> None:
    """Two class folders, no split."""
    manifest = read_manifest(real_data / "yesno")
    assert manifest.layout == "class folders"
    assert Counter(row.label for row in manifest.rows) == {"yes": 155, "no": 98}
    assert {row.split for row in manifest.rows} == {None}


def test_boxes_of_the_yolo_set(real_data: Path) -> None:
    """`Train/` and `Val/`, each class with `images/` and `labels/`."""
    manifest = read_manifest(real_data / "boxes")
    assert manifest.layout == "published splits with boxes"
    assert Counter(row.split for row in manifest.rows) == {"train": 800, "validation": 200}
    assert manifest.classes == ("Glioma", "Meningioma", "No Tumor", "Pituitary")
    first = next(row for row in manifest.rows if row.image.endswith("Te-glTr_0000.jpg"))
    assert first.boxes[0].class_id == 0
    assert first.boxes[0].x_center == 0.555664


def test_manifest_of_cheng(real_data: Path) -> None:
    """A table with patients, folds and boxes; the folder that holds it will do as well."""
    manifest = read_manifest(real_data / "cheng" / "slices.csv")
    assert manifest.layout == "manifest with boxes"
    assert len(manifest.rows) == 3064
    assert len({row.patient_id for row in manifest.rows}) == 233
    assert Counter(row.fold for row in manifest.rows).keys() == {1, 2, 3, 4, 5}
    assert read_manifest(real_data / "cheng").rows == manifest.rows


@pytest.mark.parametrize(
    "names", [("train", "valid", "test"), ("TRAIN", "Val", "TESTING"), ("Training", "dev", "Test")]
)
def test_split_names_in_any_case(class_folders: Maker, names: tuple[str, ...]) -> None:
    """Published parts go by several names."""
    for name in names:
        folder = class_folders(f"data/{name}", a=2, b=2)
    found = Counter(row.split for row in read_manifest(folder.parent).rows)
    assert found == {"train": 4, "validation": 4, "test": 4}


def test_set_one_folder_down(class_folders: Maker) -> None:
    """An archive that unpacks into a folder of its own needs no other path."""
    class_folders("outer/archive", glioma=2, no=3)
    manifest = read_manifest(class_folders("outer"))
    assert manifest.classes == ("glioma", "no")
    assert len(manifest.rows) == 5


def test_second_copy_of_the_class_folders_is_left_out(class_folders: Maker) -> None:
    """A folder that repeats its siblings' classes would double every image."""
    class_folders("data/brain_tumor_dataset", yes=2, no=2)
    manifest = read_manifest(class_folders("data", yes=2, no=2))
    assert manifest.classes == ("no", "yes")
    assert len(manifest.rows) == 4
    assert [(f.image, f.reason) for f in manifest.left_out] == [
        ("brain_tumor_dataset/", "a second copy of the class folders")
    ]


def test_strays_are_counted_and_nothing_else(class_folders: Maker) -> None:
    """System files and notebooks' folders are no images."""
    folder = class_folders(a=2, b=2)
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "a" / "Thumbs.db").write_bytes(b"x")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "0-checkpoint.png").write_bytes(b"x")
    manifest = read_manifest(folder)
    assert manifest.strays == 3
    assert len(manifest.rows) == 4


def test_two_spellings_in_one_part_are_refused(class_folders: Maker) -> None:
    """Two folders that mean the same class are no two classes."""
    with pytest.raises(DataError, match=r"'glioma' and 'glioma_tumor' name the same class"):
        read_manifest(class_folders(glioma_tumor=2, glioma=2, no=2))


def test_two_spellings_in_two_parts_are_one_class(class_folders: Maker) -> None:
    """The test part may spell a class otherwise; the training part's name is shown."""
    class_folders("data/Testing", notumor=2, glioma=2)
    manifest = read_manifest(class_folders("data/Training", no_tumor=2, glioma_tumor=2).parent)
    assert manifest.classes == ("glioma_tumor", "no_tumor")


def test_unknown_layout_shows_what_was_found(tmp_path: Path) -> None:
    """The message lists what is there and what would be read."""
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(DataError) as caught:
        read_manifest(tmp_path)
    assert "1 .png files" in str(caught.value)
    assert "Training/glioma/*.jpg" in str(caught.value)
    with pytest.raises(DataError, match="does not exist"):
        read_manifest(tmp_path / "nothing")


def write_table(folder: Path, text: str) -> Path:
    for name in ("1.png", "2.png"):
        Image.new("L", (4, 4)).save(folder / name)
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,type\n1.png,a\n", "no column 'label'"),
        ("image,label,label\n1.png,a,b\n", "names the column 'label' twice"),
        ("image,class,target\n1.png,a,b\n", "'class' and 'target' may both be the label"),
        ("image,label\n1.png,\n", "no row with an image and a label"),
        ("image,label\n1.png,a\n9.png,b\n", "1 of the 2 images"),
        ("image,label\n1.png,a\n1.png,b\n", "labelled 'b' here and 'a' before"),
        ("image,label,split\n1.png,a,later\n", "the split 'later'"),
        ("image,label,fold\n1.png,a,one\n", "the fold 'one'"),
        ("image,label,x_center,y_center,width,height\n1.png,a,5,0,1,1\n", "the box"),
    ],
)
def test_bad_tables_say_where(tmp_path: Path, text: str, message: str) -> None:
    """A mistake in a table is named with its line."""
    with pytest.raises(DataError, match=message):
        read_manifest(write_table(tmp_path, text))


def test_table_with_all_columns(tmp_path: Path) -> None:
    """Splits, patients, folds and two boxes on one image arrive."""
    header = "image,label,patient_id,split,fold,x_center,y_center,width,height\n"
    lines = (
        "1.png,a,p1,Training,2,.5,.5,.2,.2\n1.png,a,p1,Training,2,.1,.1,.1,.1\n2.png,b,,val,,,,,\n"
    )
    first, second = read_manifest(write_table(tmp_path, header + lines)).rows
    assert (first.patient_id, first.split, first.fold) == ("p1", "train", 2)
    assert len(first.boxes) == 2
    assert (second.patient_id, second.split, second.fold) == (None, "validation", None)


def test_broken_label_files_are_reported(class_folders: Maker) -> None:
    """A malformed box is not used, and its file is named; the image stays."""
    class_folders("data/a", images=1, labels=0)
    folder = class_folders("data/b", images=1, labels=0).parent
    (folder / "a" / "labels" / "0.txt").write_text("0 .5 .5 .2 .2\n0 .5 .5 7 nan\n")
    manifest = read_manifest(folder)
    assert len(manifest.rows) == 2
    assert len(manifest.rows[0].boxes) == 1
    assert "1 of 2 boxes" in manifest.left_out[0].reason
