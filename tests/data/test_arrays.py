"""Sets in arrays: Cheng's `.mat` files of both formats, and `.npz` files of MedMNIST's form."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from tumorscope.data.layouts import read_manifest
from tumorscope.data.store import open_store
from tumorscope.errors import DataError
from tumorscope.records import Box

HEIGHT, WIDTH = 40, 60


def case(number: int) -> dict[str, Any]:
    """One slice with a bright lesion in rows 10 to 19 and columns 30 to 44."""
    image = np.random.default_rng(number).integers(0, 900, (HEIGHT, WIDTH)).astype(np.int16)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[10:20, 30:45] = 1
    border = np.array([10, 30, 10, 45, 20, 45, 20, 30], float)
    return {
        "image": image,
        "label": float(1 + number % 3),
        "PID": f"MR{number // 2:03d}",
        "tumorMask": mask,
        "tumorBorder": border,
    }


def write_hdf5(path: Path, own: dict[str, Any]) -> None:
    """As MATLAB writes version 7.3: columns first, text as numbers of characters."""
    with h5py.File(path, "w", userblock_size=512) as book:
        group = book.create_group("cjdata")
        for name, value in own.items():
            codes = [[ord(c)] for c in value] if isinstance(value, str) else value
            group[name] = np.atleast_2d(np.asarray(codes)).T


def write_v5(path: Path, own: dict[str, Any]) -> None:
    savemat(path, {"cjdata": own})


@pytest.mark.parametrize("write", [write_hdf5, write_v5])
@pytest.mark.parametrize("without", ["", "tumorMask"])
def test_mat_files(tmp_path: Path, write: Any, without: str) -> None:
    """Pixels, class, patient, fold and box are those of the file; damaged files are named."""
    root = tmp_path / "data"
    root.mkdir()
    for number in range(1, 7):
        own = case(number)
        own.pop(without, None)
        write(root / f"{number}.mat", own)
    savemat(root / "cvind.mat", {"cvind": np.array([[1], [2], [3], [1], [2], [3]])})
    (root / "7.mat").write_bytes((root / "1.mat").read_bytes()[:700])
    savemat(root / "8.mat", {"other": 1})
    (root / "notes.txt").write_text("read me")
    manifest = read_manifest(root)
    assert manifest.layout == ".mat files"
    assert [file.image for file in manifest.left_out] == ["7.mat", "8.mat"]
    assert manifest.passed_over == {".mat": 1, ".txt": 1}  # the folds are no slice
    rows = {row.image: row for row in manifest.rows}
    assert [rows[f"{n}.png"].label for n in (1, 2, 3)] == ["glioma", "pituitary", "meningioma"]
    assert (rows["5.png"].patient_id, rows["5.png"].fold) == ("MR002", 2)
    assert rows["1.png"].boxes == (Box(37.5 / WIDTH, 15 / HEIGHT, 15 / WIDTH, 10 / HEIGHT),)
    pixels = np.asarray(Image.open(manifest.root / "4.png"))
    assert pixels.dtype == np.uint16
    assert (pixels == case(4)["image"]).all()
    assert len(open_store(manifest, 32)) == 6
    assert read_manifest(root).root == manifest.root


@pytest.mark.parametrize("colours", [(), (3,)])
def test_npz(tmp_path: Path, colours: tuple[int, ...]) -> None:
    """Parts and labels are those of the arrays, in a file and in a folder that holds it."""
    draw, arrays = np.random.default_rng(0), dict[str, Any]()
    for part, count in (("train", 8), ("val", 4), ("test", 4)):
        arrays[f"{part}_images"] = draw.integers(0, 256, (count, 28, 28, *colours), dtype=np.uint8)
        arrays[f"{part}_labels"] = np.arange(count)[:, None] % 2
    path = tmp_path / "data" / "slices.npz"
    path.parent.mkdir()
    np.savez_compressed(path, **arrays)
    manifest = read_manifest(path)
    assert read_manifest(path.parent).rows == manifest.rows
    assert [row.split for row in manifest.rows].count("validation") == 4
    assert manifest.classes == ("0", "1")
    first = np.asarray(Image.open(manifest.root / manifest.rows[1].image))
    assert (first == arrays["train_images"][1]).all()
    assert manifest.rows[1].label == "1"


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.zeros(3)}, "holds no slice that can be read"),
        ({"train_images": np.zeros((2, 8, 8), np.uint8)}, "no .npz file with train_images"),
        (
            {"train_images": np.zeros((2, 8, 8)), "train_labels": np.zeros((2, 1))},
            "train_images is float64",
        ),
        (
            {"train_images": np.zeros((2, 8, 8), np.uint8), "train_labels": np.zeros((2, 14))},
            "one label an image is read",
        ),
        (
            {"train_images": np.array([{}, {}]), "train_labels": np.zeros((2, 1))},
            "no .npz file with train_images",
        ),
    ],
)
def test_other_npz_files_get_a_sentence(tmp_path: Path, arrays: Any, said: str) -> None:
    """Without images, without labels, of other types, with several labels, with pickled objects."""
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=said):
        read_manifest(tmp_path / "a.npz")


def test_a_damaged_npz_gets_a_sentence(tmp_path: Path) -> None:
    """Half a file is no archive."""
    np.savez(tmp_path / "a.npz", train_images=np.zeros((20, 8, 8), np.uint8))
    path = tmp_path / "a.npz"
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(DataError, match=r"a\.npz"):
        read_manifest(path)
