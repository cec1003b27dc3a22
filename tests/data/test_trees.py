"""Data sets as people have them: what each is taken for, and that no file is lost track of."""

import json
import os
import tempfile
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.conftest import Command, Heard
from tumorscope.data.dataset import read_store
from tumorscope.data.layouts import LAYOUTS, read_manifest
from tumorscope.errors import DataError, TumorscopeError
from tumorscope.records import Manifest
from tumorscope.runs.execution import begin
from tumorscope.runs.folder import check_data, layout_options
from tumorscope.runs.options import TrainOptions
from tumorscope.runs.preparation import prepare
from tumorscope.schema.layout import LayoutOptions
from tumorscope.schema.recipe import load_recipe
from tumorscope.support.files import read_csv

BOX = "0 0.5 0.5 0.2 0.2\n"
XML = (
    "<annotation><size><width>24</width><height>20</height></size><object><name>{}</name>"
    "<bndbox><xmin>6</xmin><ymin>5</ymin><xmax>18</xmax><ymax>15</ymax></bndbox></object>"
    "</annotation>"
)
NAMES = "names: [glioma, none]\n"


def lay(root: Path, tree: Mapping[str, str | bytes | int]) -> Path:
    """Lay a tree out: text and bytes as they are, a number for an image of so many grey levels."""
    for number, (path, content) in enumerate(tree.items()):
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, int):
            pixels = np.random.default_rng(number).integers(0, content, (20, 24), np.uint8)
            Image.fromarray(pixels).save(place, format="PNG")
        elif isinstance(content, str):
            place.write_text(content, encoding="utf-8")
        else:
            place.write_bytes(content)
    return root


def images(*folders: str, each: int = 2, suffix: str = ".png") -> dict[str, str | bytes | int]:
    """Some images in each of some folders, all with names of their own."""
    return {
        f"{folder}/{place}{n}{suffix}": 256
        for place, folder in enumerate(folders)
        for n in range(each)
    }


def table(text: str, name: str = "m.csv") -> dict[str, str | bytes | int]:
    """Four images and a table of them."""
    return {**images("images", each=4), name: text}


ROWS = "images/00.png,x\nimages/01.png,x\nimages/02.png,y\nimages/03.png,y\n"
COCO = {
    "images": [{"id": n, "file_name": f"{n}.png", "width": 24, "height": 20} for n in range(2)],
    "annotations": [
        {"image_id": n, "category_id": n + 1, "bbox": [6, 5, 12, 10]} for n in range(2)
    ],
    "categories": [{"id": 1, "name": "glioma"}, {"id": 2, "name": "none"}],
}


# Volumes that begin with blank slices.
BLANK = {
    f"{folder}/{n}.png": 1 if n < 2 else 256 for folder in ("a/p", "a/q", "b/r") for n in range(9)
}


@pytest.mark.parametrize(
    ("tree", "classes", "found"),
    [
        (images("Training Set/a", "Training Set/b", "1_test/a"), "a b", {"test": 2, "train": 4}),
        (images("train-images/a", "train-images/b", "val_split/b"), "a b", {"validation": 2}),
        (images("a/train", "b/train", "a/test", "b/test"), "a b", {"train": 4, "test": 4}),
        (images("a/p1", "a/p2", "b/p3"), "a b", {"patients": 3}),
        (images("glioma/P1", "glioma/P2", "meningioma/P1"), "glioma meningioma", {"patients": 3}),
        (images("yes/axial", "yes/coronal", "no/axial", "no/coronal"), "no yes", {"patients": 4}),
        (images("a/P1", "a/P2", "b/P1", "b/P2"), "a b", {"patients": 4}),
        (images("a", "b", "test/a", "test/b"), "a b", {"test": 4, "left": 0}),
        (BLANK, "a b", {"patients": 3, "left": 0}),
        (images("train") | {"test/00.png": 256, "train/00.xml": XML.format("a"),
         "train/01.xml": XML.format("a"), "test/00.xml": XML.format("b")}, "a b", {"boxes": 3}),
        (table("image,label\n" + ROWS.replace("x", "<50").replace("y", ">50")), "<50 >50", {}),
        (images("T1/a", "T1/b", "T2/a", "T2/b"), "a b", {"columns": 8}),
        (images("a", "b") | {"a/00_mask.png": 2, "b/10_mask.png": 2}, "a b", {"left": 2}),
        (images("a", "b", each=4) | {f"x/0{n}.png": 2 for n in range(4)}, "a b", {"left": 4}),
        (images("yes", "no", "pred", "test"), "no yes", {"left": 4}),
        (images("a", "b") | {"figures/f.png": 256, "README.md": "x"}, "a b", {"left": 1, ".md": 1}),
        (images("IDH+", "IDH-"), "IDH+ IDH-", {}),
        (images("1", "-1", "10"), "-1 1 10", {}),
        (images("Grade 1.0", "Grade 10"), "Grade 1.0|Grade 10", {}),
        (images("train/méningiome", "train/b")
         | images(unicodedata.normalize("NFD", "test/méningiome")), "b méningiome", {"test": 2}),
        (images("x/y/z/a", "x/y/z/b") | {"x/notes.txt": "x"}, "a b", {".txt": 1}),
        (images("a", "b", suffix=""), "a b", {}),
        (images("train/images") | {"data.yaml": NAMES, "train/labels/00.txt": BOX,
         "train/labels/01.txt": "1 .5 .5 .2 .2 .9\n"}, "glioma none", {"boxes": 2, "train": 2}),
        (images("images/train") | {"data.yaml": NAMES, "labels/train/00.txt": BOX,
         "labels/train/01.txt": "1 .1 .1 .3 .1 .3 .3\n"}, "glioma none", {"boxes": 2, "train": 2}),
        (images("train") | {"train/00.xml": XML.format("a"), "train/01.xml": XML.format("b")},
         "a b", {"boxes": 2, "train": 2}),
        ({"train/0.png": 256, "train/1.png": 256, "train/c.json": json.dumps(COCO)},
         "glioma none", {"boxes": 2, "train": 2}),
        (table("image;label\n" + ROWS.replace(",", ";")), "x y", {}),
        (table("\ufefffilename\tdiagnosis\n" + ROWS.replace(",", "\t"), "m.tsv"), "x y", {}),
        (table("image,label\n" + ROWS) | {"m.csv": ("image,label\n" + ROWS).encode("utf-16")},
         "x y", {}),
        (table("image,label\n" + ROWS.replace("/", "\\")), "x y", {}),
        (table("image,label\n" + ROWS.replace("images/", "C:\\data\\").replace("/", "\\")),
         "x y", {}),
        (table("image,label\n" + ROWS.replace(".png", "")), "x y", {}),
        (table("image,label\n" + ROWS.replace(".png", ".PNG")), "x y", {}),
        (table("../" + ROWS.replace("\n", "\n../").removesuffix("../"), "csv/m.csv")
         | {"csv/m.csv": "image,label\n../" + ROWS.replace("\n", "\n../").removesuffix("../")},
         "x y", {}),
        (table("image,label\n" + ROWS + ",\n\n"), "x y", {}),
        (table("image,label\n" + ROWS.replace("x", "1").replace("y", "2.0")), "1 2", {}),
        (table("image,label,patient_id\n" + ROWS.replace("x", "x,1.0").replace("y", "y,nan")),
         "x y", {"patients": 1}),
        (table("image,x,y\n" + ROWS.replace(",x", ",1,0").replace(",y", ",0,1")), "x y", {}),
        (table("image,label\n" + ROWS.replace("01.png,x", "01.png,n/a")), "x y", {"left": 1}),
        (table("image,label\n" + ROWS.replace("01.png,x", "01.png,X")), "x y", {}),
        (table("image,label,set\n" + ROWS.replace("\n", ",holdout\n")), "x y", {"test": 4}),
        (images("a", "b", each=1) | {"m.csv": "image,label\na/00.png,x\nb/10.png,y\n"}, "x y", {}),
        (images("a", "b") | {"m.csv": "file,class\na/00.png,x\na/01.png,y\n"}, "a b", {".csv": 1}),
        (images("train") | {"train/_classes.csv": "filename, a, b\n00.png,1,0\n01.png,0,1\n"},
         "a b", {"train": 2}),
        (images("i") | {"train.csv": "image,label\ni/00.png,a\n", "test.csv":
         "image,label\ni/01.png,b\n"}, "a b", {"train": 1, "test": 1}),
    ],
)  # fmt: skip
def test_what_people_have(
    tmp_path: Path, tree: Mapping[str, str | bytes | int], classes: str, found: Mapping[str, int]
) -> None:
    """Classes, parts, patients and boxes are found, and what is left out is counted."""
    manifest = read_manifest(lay(tmp_path, tree))
    assert list(manifest.classes) == (classes.split("|") if "|" in classes else classes.split())
    counts: Counter[str] = Counter(row.split for row in manifest.rows if row.split)
    counts["patients"] = len({row.patient_id for row in manifest.rows if row.patient_id})
    counts["boxes"] = sum(bool(row.boxes) for row in manifest.rows)
    counts["columns"] = sum(bool(row.others) for row in manifest.rows)
    counts["left"] = manifest.files_left_out
    counts.update(manifest.passed_over)
    assert {name: counts[name] for name in found} == dict(found)
    assert accounted(manifest) == count_files(tmp_path)


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        (images("a", "b", "a - Copy"), "--ignore 'a - Copy'"),
        (images("test_a", "train_b"), "--part test_a=test"),
        (images(*(f"patient{n:02}" for n in range(6))), "look like patients"),
        ({f"Tr-{c}_{n}.png": 256 for c in ("gl", "me") for n in range(3)}, "--labels-from names"),
        (images("images", "masks"), "nothing says the class of its"),
        (
            {"0.png": 256, "1.png": 256, "c.json": json.dumps(COCO | {"annotations": []})},
            "has a class: no box names its class (2)",
        ),
        ({"a/1.dcm": b"x", "b/2.dcm": b"x"}, "2 files of a scanner"),
        (table("image,label,label\n" + ROWS), "names the column 'label' twice"),
        (table("image,class,target\n" + ROWS.replace("\n", ",z\n")), "--column label=class"),
        (table("image,label,split\n" + ROWS.replace("\n", ",later\n")), "--part later=train"),
        (table("image,label\n" + ROWS.replace("images/01", "p1/01")), "1 of the 4 images"),
        (table("image,label\n" + ROWS.replace("images/01", "z" * 300)), "1 of the 4 images"),
        (table("image,label\n" + ROWS, "m.csv") | {"n.csv": "image,label\n" + ROWS}, "several man"),
    ],
)
def test_what_is_doubtful_is_asked_about(
    tmp_path: Path, tree: Mapping[str, str | bytes | int], said: str
) -> None:
    """One sentence, with the flag for each answer."""
    with pytest.raises(DataError) as caught:
        read_manifest(lay(tmp_path, tree))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("tree", "options", "classes"),
    [
        (images("a", "b", "a - Copy"), {"ignore": ("a - Copy",)}, ["a", "b"]),
        (images("a", "b", "a - Copy"), {"classes_from": "folders"}, ["a", "a - Copy", "b"]),
        (images("test_a/x", "b/x", "b/y"), {"parts": {"test_a": "test", "b": "train"}}, ["x", "y"]),
        ({f"Tr-{c}_{n}.png": 256 for c in ("gl", "me") for n in range(3)},
         {"classes_from": "names"}, ["gl", "me"]),
        (table("image,class,target\n" + ROWS.replace("\n", ",z\n")),
         {"columns": {"label": "class"}}, ["x", "y"]),
    ],
)  # fmt: skip
def test_an_answer_settles_it(
    tmp_path: Path, tree: Mapping[str, str | bytes | int], options: Any, classes: list[str]
) -> None:
    """The flag that the sentence names."""
    manifest = read_manifest(lay(tmp_path, tree), LayoutOptions(**options))
    assert list(manifest.classes) == classes
    assert LayoutOptions.from_json(LayoutOptions(**options).as_json()) == LayoutOptions(**options)


def slices(pattern: str, patients: str, each: int = 2) -> dict[str, str | bytes | int]:
    """Some slices of each patient, a letter for the class of one."""
    return {
        f"{label}/{pattern.format(p=number, s=s)}.png": 256
        for number, labels in enumerate(patients.split(), 1)
        for label in labels
        for s in range(each)
    }


@pytest.mark.parametrize(
    ("tree", "found", "asked", "doubtful"),
    [
        (slices("patient{p:02}-slice{s:02}", "a a b b"), 4, 4, False),
        (slices("axial_sub-{p:02}_{s}", "a a b b"), 4, 4, False),
        (slices("volume_{p}_slice_{s}", "a b b"), 3, 3, False),
        (slices("TCGA_CS_494{p}_19960909_{s}", "a a b b") | slices(
            "TCGA_CS_494{p}_19960909_1{s}", "b b a a"), 4, 4, False),
        (slices("TCGA_CS_494{p}_19960909_{s}", "ab ab ab ab"), 4, 4, False),  # the same in both
        (slices("patient{p}_{s}", "a a b b") | {"b/patient1_0.png": 256}, 4, 4, False),
        (slices("case{p}_{s}", "ab ab ab"), 6, 6, False),  # numbers begin anew with each class
        (slices("{p}_{s}", "a a b b"), 0, 4, True),
        (slices("{p}_{s}", "ab ab ab ab"), 0, 8, True),
        (slices("patient{p}_{s}", "a b b", each=1), 0, 0, False),  # one image each
        (slices("Tr-gl_{p:03}{s}", "a a b b"), 0, 0, False),
        (slices("aug_{p}_{s}", "a a b b"), 0, 0, False),
        (slices("pt ({p}{s})", "a a b b"), 0, 0, False),
    ],
)  # fmt: skip
def test_patients_in_file_names(
    tmp_path: Path, tree: dict[str, str | bytes | int], found: int, asked: int, doubtful: bool
) -> None:
    """Taken where they are beyond doubt, asked about where they may be, and as the user says."""
    folder = lay(tmp_path, tree)
    manifest = read_manifest(folder)
    assert len({row.patient_id for row in manifest.rows} - {None}) == found
    assert any("--no-name-patients" in note for note in manifest.notes) == bool(found)
    assert any(". --name-patients takes" in note for note in manifest.notes) == doubtful
    for wanted, count in ((True, asked), (False, 0)):
        told = read_manifest(folder, LayoutOptions(name_patients=wanted))
        assert len({row.patient_id for row in told.rows} - {None}) == count


def test_archives_are_read_and_bombs_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A zip reads as its folder; what grows without end, or points outside, is refused."""
    monkeypatch.setenv("TUMORSCOPE_CACHE", str(tmp_path / "cache"))
    folder = lay(tmp_path / "data", images("a", "b"))
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in folder.rglob("*.png"):
            archive.write(path, path.relative_to(folder))
    rows = read_manifest(tmp_path / "set.zip").rows
    assert [row.image for row in rows] == [row.image for row in read_manifest(folder).rows]
    monkeypatch.setattr("tumorscope.data.layouts.archive.SMALL", 1000)
    for name, content in (("bomb", b"\0" * 10_000_000), ("../out", b"x")):
        with zipfile.ZipFile(tmp_path / "bad.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, content)
        with pytest.raises(DataError, match="it is not opened"):
            read_manifest(tmp_path / "bad.zip")
    assert not (tmp_path / "cache" / "out").exists()
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match="no archive that can be read"):
        read_manifest(tmp_path / "bad.zip")


def test_links_are_followed_once_and_bad_names_are_named(tmp_path: Path) -> None:
    """A linked folder counts, a loop ends; links to nothing and names of other bytes are named."""
    elsewhere = lay(tmp_path / "elsewhere", images("a"))
    folder = lay(tmp_path / "data", images("b", "c"))
    (folder / "a").symlink_to(elsewhere / "a")
    (folder / "b" / "loop").symlink_to(folder)
    (folder / "b" / "lost.png").symlink_to("/nowhere")
    (folder / "c" / "d").mkdir()
    Path(os.fsdecode(os.fsencode(folder / "b") + b"/\xff.png")).write_bytes(b"x")
    manifest = read_manifest(folder)
    assert manifest.classes == ("a", "b", "c")
    reasons = {file.image: file.reason for file in manifest.left_out}
    assert reasons["b/lost.png"] == "a link to nothing"
    assert "read already" in reasons["b/loop"]
    assert reasons["c/d/"] == "an empty folder"
    assert reasons["b/\\xff.png"] == "its name is not UTF-8 text: rename it"


def test_a_layout_is_described_and_written(command: Command, tmp_path: Path) -> None:
    """What becomes of each file, as a table and as JSON; the manifest it writes reads alike."""
    folder = lay(tmp_path / "data", images("a/p1", "a/p2", "b/p3") | {"notes.txt": "x"})
    shown = command("layouts", folder, "--write", "m.csv")
    assert shown.returncode == 0, shown.stderr
    assert "3 folders inside of the classes' are taken for patients" in shown.stdout
    assert "images\t6" in shown.stdout
    content = json.loads(command("layouts", folder, "--json").stdout)
    assert content["patients"] == 3
    assert content["files"] == {"images": 6, "left out": 0, ".txt": 1, "system files": 0}
    again = read_manifest(tmp_path / "m.csv").rows
    assert [(row.label, row.patient_id) for row in again] == [
        (row.label, row.patient_id) for row in read_manifest(folder).rows
    ]
    assert len(read_csv(tmp_path / "m.csv")) == 6
    for verb in (["split"], ["audit", "--out", "audit"]):
        assert "are taken for patients" in command(verb[0], folder, *verb[1:]).stderr
    loose = command("layouts", folder, "--no-patient-folders", "--json")
    assert json.loads(loose.stdout)["patients"] == 0
    listed = command("layouts").stdout
    assert all(layout.name in listed for layout in LAYOUTS)
    for words, said in (
        (["--classes-from", "x"], "choose auto, folders or names"),
        (["--part", "a=b"], "the part is train, validation or test"),
        (["--write", "m.txt"], "does not end in .csv"),
        (["--write", "data/m.csv"], "inside"),
    ):
        refused = command("layouts", folder, *words)
        assert refused.returncode == 2
        assert said in refused.stderr


def test_options_of_the_layout_travel_with_the_run(tmp_path: Path) -> None:
    """A run that left a folder out is read so again; without what was said, it asks."""
    folder = lay(tmp_path / "data", images("a", "b", "a - Copy", each=12))
    said = LayoutOptions(ignore=("a - Copy",))
    recipe = load_recipe("cnn-baseline", ["image_size=24"])
    options = TrainOptions(data=folder, layout=said, device="cpu", progress=Heard())
    begin(prepare(options, recipe), recipe, tmp_path / "run")
    assert layout_options(tmp_path / "run") == said
    again = read_store(folder, recipe, Heard(), strict=True, layout=said)
    check_data(tmp_path / "run", again)
    assert again.manifest.classes == ("a", "b")
    assert again.manifest.files_left_out == 12
    with pytest.raises(DataError, match="may be a copy or a class"):
        read_store(folder, recipe, Heard(), strict=True)


FOLDERS = st.sampled_from(
    ["a", "b", "train", "test", "images", "labels", "masks", "p1", "p2", "T1", "x - Copy", ".git"]
)
FILES = st.sampled_from(
    ["0.png", "1.png", "2.PNG", "3_mask.png", "n.txt", "m.csv", "c.json", ".hidden", "x", "y.xml"]
)
CONTENTS = st.sampled_from([256, 2, BOX, "image,label\n0.png,a\n1.png,b\n", "{}", b"\xff\x00"])
TREES = st.dictionaries(
    st.tuples(st.lists(FOLDERS, max_size=3), FILES).map(lambda pair: "/".join([*pair[0], pair[1]])),
    CONTENTS,
    max_size=14,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=TREES, loose=st.booleans())
def test_every_file_ends_somewhere(tree: dict[str, Any], loose: bool) -> None:
    """Images, files left out and files passed over sum to another count, or it is refused."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        kept = {
            path: content
            for path, content in tree.items()
            if not any(other.startswith(f"{path}/") for other in tree)
        }
        lay(root, kept)
        options = LayoutOptions(classes_from="folders") if loose else LayoutOptions()
        try:
            manifest = read_manifest(root, options)
        except TumorscopeError:
            return
        assert manifest.rows
        assert accounted(manifest) == count_files(root)


def accounted(manifest: Manifest) -> int:
    """The files that a manifest says something of."""
    others = manifest.strays + sum(manifest.passed_over.values())
    return len(manifest.rows) + manifest.files_left_out + others


def count_files(root: Path) -> int:
    """Every file below a folder, by another walk."""
    return sum(len(names) for _, _, names in os.walk(root))
