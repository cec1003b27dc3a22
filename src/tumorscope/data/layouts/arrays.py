"""Images in arrays: the `.mat` files of Cheng et al., and `.npz` files of MedMNIST's form.

Their slices are written as pictures into the cache, once; 16-bit levels stay 16-bit.
"""

import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tumorscope.data.layouts.boxes import make_box
from tumorscope.data.layouts.detection import Detection
from tumorscope.data.layouts.kept import made_once, state_of
from tumorscope.data.layouts.tree import Tree, kinds
from tumorscope.errors import DataError
from tumorscope.records import Box, LeftOut, Manifest, Part, Row
from tumorscope.schema.layout import LayoutOptions
from tumorscope.support.extras import require_extra
from tumorscope.support.files import CACHE, explained, read_csv, write_csv

VERSION = 1  # of the pictures in the cache
BOX = ("x_center", "y_center", "width", "height")
COLUMNS = ("image", "label", "patient_id", "split", "fold", "reason", *BOX)
CHENG_CLASSES = {1: "meningioma", 2: "glioma", 3: "pituitary"}
PARTS: dict[str, Part] = {"train": "train", "val": "validation", "test": "test"}
LARGEST = 8_000_000_000  # bytes of the arrays of one file
HDF5 = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class _Slice:
    """One picture to be written, or why there is none."""

    name: str
    pixels: NDArray[Any] | None = None
    label: str = ""
    patient: str = ""
    part: str = ""
    fold: str = ""
    box: Box | None = None
    reason: str = ""


class MatFiles:
    """A folder of `.mat` files, each with one slice as `cjdata`, as those of Cheng et al."""

    name = ".mat files"
    form = "DATA/N.mat with cjdata.image, label, PID, tumorBorder; cvind.mat has the folds"

    def detect(self, tree: Tree, options: LayoutOptions) -> Detection | None:  # noqa: ARG002
        """Say that a tree holds `.mat` files and no pictures."""
        count = len(_ending(tree, ".mat"))
        return (
            Detection(f"{count} .mat files and no picture") if count and not tree.images else None
        )

    def read(self, tree: Tree, options: LayoutOptions) -> Manifest:  # noqa: ARG002
        """Write the slices as pictures and list them."""
        require_extra("mat", "Reading .mat files")
        files = _ending(tree, ".mat")
        return _manifest(self.name, tree, files, lambda: _cheng_slices(tree.root, files))


class NpzFile:
    """One `.npz` file with `train_images`, `train_labels` and so on, as MedMNIST publishes sets."""

    name = ".npz file"
    form = "DATA.npz with train_images, train_labels, and the same for val and test"

    def detect(self, tree: Tree, options: LayoutOptions) -> Detection | None:  # noqa: ARG002
        """Say that a tree holds one `.npz` file and no pictures."""
        files = _ending(tree, ".npz")
        if len(files) != 1 or tree.images:
            return None
        return Detection(f"{files[0]} and no picture")

    def read(self, tree: Tree, options: LayoutOptions) -> Manifest:  # noqa: ARG002
        """Write the images as pictures and list them."""
        files = _ending(tree, ".npz")
        return _manifest(self.name, tree, files, lambda: _npz_slices(tree.root / files[0]))


def _ending(tree: Tree, suffix: str) -> list[str]:
    return [path for path in tree.files if path.lower().endswith(suffix)]


def _manifest(
    layout: str, tree: Tree, files: list[str], slices: Callable[[], Iterable[_Slice]]
) -> Manifest:
    """Return what was written from some files, after writing it where that was not done before."""
    key = (VERSION, str(tree.root.resolve()), state_of(tree.root, files))
    folder = made_once(key, lambda new: _write(new, slices()))
    table = read_csv(folder / "slices.csv")
    rows = tuple(_row(line) for line in table if not line["reason"])
    if not rows:
        first = f": {table[0]['image']}: {table[0]['reason']}" if table else ""
        raise DataError(f"{tree.root} holds no slice that can be read{first}.")
    bad = [LeftOut(line["image"], line["reason"]) for line in table if line["reason"]]
    return Manifest(
        folder,
        layout,
        rows,
        left_out=(*tree.left_out, *bad),
        strays=tree.strays,
        passed_over=kinds(path for path in tree.files if path not in files or _has_folds(path)),
    )


def _row(line: dict[str, str]) -> Row:
    x, y, width, height = (line[name] for name in BOX)
    box = make_box(float(x), float(y), float(width), float(height)) if width else None
    return Row(
        image=line["image"],
        label=line["label"],
        split=line["split"] or None,  # type: ignore[arg-type]
        patient_id=line["patient_id"] or None,
        fold=int(line["fold"]) if line["fold"] else None,
        boxes=(box,) if box else (),
    )


def _write(folder: Path, slices: Iterable[_Slice]) -> None:
    """Write pictures and their table."""
    lines = []
    for own in slices:
        if own.pixels is not None:
            path = folder / own.name
            path.parent.mkdir(parents=True, exist_ok=True)
            with explained(path, CACHE):
                Image.fromarray(own.pixels).save(path, compress_level=1)
        box = [getattr(own.box, name) for name in BOX] if own.box else [""] * len(BOX)
        lines.append((own.name, own.label, own.patient, own.part, own.fold, own.reason, *box))
    write_csv(folder / "slices.csv", COLUMNS, lines)


def _cheng_slices(root: Path, files: list[str]) -> Iterator[_Slice]:
    folds = _folds(root, files)
    for name in files:
        if _has_folds(name):
            continue
        try:
            data = _read_mat(root / name)["cjdata"]
            yield _cheng_slice(name, data, folds)
        except Exception as error:  # noqa: BLE001 (whatever a damaged file makes the readers raise)
            yield _Slice(name, reason=f"no slice of this form ({type(error).__name__})")


def _cheng_slice(name: str, data: dict[str, Any], folds: list[int]) -> _Slice:
    pixels = np.asarray(data["image"])
    pixels = np.clip(pixels, 0, 65535).astype(np.uint16)
    number = int(stem) if (stem := PurePosixPath(name).stem).isdigit() else 0
    patient = data["PID"]
    if not isinstance(patient, str):
        patient = "".join(map(chr, np.asarray(patient, np.intp).ravel()))
    return _Slice(
        f"{name[: -len('.mat')]}.png",
        pixels,
        CHENG_CLASSES[int(np.asarray(data["label"]).ravel()[0])],
        patient.strip(),
        fold=str(folds[number - 1]) if 0 < number <= len(folds) else "",
        box=_cheng_box(data, *pixels.shape),
    )


def _cheng_box(data: dict[str, Any], height: int, width: int) -> Box | None:
    """Return the box around the mask, or around the border where there is no mask.

    The border is a list x, y, x, y …; x is taken for the row, as programs that draw it do. The
    published files all have masks.
    """
    if "tumorMask" in data:
        down, right = (np.asarray(n, np.float64) for n in np.nonzero(data["tumorMask"]))
        ends = (right.min(), right.max() + 1, down.min(), down.max() + 1) if len(down) else None
    else:
        points = np.asarray(data.get("tumorBorder", ()), np.float64).ravel()
        down, right = points[0::2], points[1::2]
        ends = (right.min(), right.max(), down.min(), down.max()) if len(points) > 3 else None
    if ends is None:
        return None
    left, end, top, bottom = (float(number) for number in ends)
    return make_box(
        (left + end) / 2 / width,
        (top + bottom) / 2 / height,
        (end - left) / width,
        (bottom - top) / height,
    )


def _has_folds(path: str) -> bool:
    return PurePosixPath(path).name == "cvind.mat"


def _folds(root: Path, files: list[str]) -> list[int]:
    """Return the fold of each slice, by its number, where `cvind.mat` says it."""
    for name in files:
        if _has_folds(name):
            try:
                return [int(n) for n in np.asarray(_read_mat(root / name)["cvind"]).ravel()]
            except Exception as error:  # as above
                raise DataError(f"{root / name} does not hold the folds as cvind.") from error
    return []


def _read_mat(path: Path) -> dict[str, Any]:
    """Return the variables of a MATLAB file, structures as dictionaries, of either format."""
    with path.open("rb") as file:
        head = file.read(1024)
    if HDF5 in head:
        import h5py  # noqa: PLC0415 (an extra)

        with h5py.File(path) as book:
            found: dict[str, Any] = _hdf5(book)
            return found
    from scipy.io import loadmat  # noqa: PLC0415 (an extra)

    variables = loadmat(path, squeeze_me=True)
    return {name: _structure(value) for name, value in variables.items()}


def _hdf5(group: Any) -> dict[str, Any]:
    """Return a group's arrays; MATLAB lists columns first, HDF5 rows."""
    return {
        name: _hdf5(own) if hasattr(own, "keys") else np.asarray(own).T
        for name, own in group.items()
        if not name.startswith("#")
    }


def _structure(value: Any) -> Any:
    """Return a MATLAB structure as a dictionary."""
    names = getattr(getattr(value, "dtype", None), "names", None)
    if not names:
        return value
    return {name: value[name].item() if value[name].shape == () else value[name] for name in names}


def _npz_slices(path: Path) -> Iterator[_Slice]:
    """Yield the images of every part.

    Raises:
        DataError: the file is damaged, too large, or of another form.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            whole = sum(info.file_size for info in archive.infolist())
        if whole > LARGEST:
            raise DataError(f"{path} holds {whole / 1e9:.0f} GB of arrays: it is not opened.")
        arrays = np.load(path, allow_pickle=False)
        for part, split in PARTS.items():
            if f"{part}_images" in arrays:
                yield from _npz_part(path, part, split, arrays)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} is no .npz file with train_images and train_labels ({error})."
        ) from error


def _npz_part(path: Path, part: str, split: Part, arrays: Any) -> Iterator[_Slice]:
    images, labels = arrays[f"{part}_images"], np.asarray(arrays[f"{part}_labels"])
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or images.shape[3:] not in ((), (3,)):
        raise DataError(
            f"{path}: {part}_images is {images.dtype} of shape {images.shape}; slices are uint8, "
            "(images, height, width) or with three colours."
        )
    labels = labels.reshape(len(labels), -1)
    if labels.shape != (len(images), 1):
        raise DataError(
            f"{path}: {part}_labels has the shape {labels.shape}: one label an image is read."
        )
    for number, (pixels, label) in enumerate(zip(images, labels[:, 0], strict=True)):
        yield _Slice(f"{part}/{number:06d}.png", pixels, str(label), part=split)
