"""What an upload holds: its files unpacked, told apart, and read, in a process that may die."""

import json
import lzma
import os
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscope.data.layouts.tree import KNOWN_ENDINGS, begins_like_image, is_stray, walk
from tumorscope.data.read import decode_image, read_image
from tumorscope.data.scans.stacks import (
    Stack,
    is_segmentation,
    open_stacks,
    patient_of_volume,
)
from tumorscope.errors import TumorscopeError, UnreadableImage
from tumorscope.inference.series import holds_series
from tumorscope.records import LeftOut
from tumorscope.serve.limits import NO_ROOM, Limits, RefusedUpload
from tumorscope.watching.record import picture_facts

ZIP = b"PK\x03\x04"
LONGEST = 120  # characters of a name that are kept
DESCRIBED = "described.json"
NO_SLICES = np.zeros((0, 0, 0), np.uint8)
A_SEGMENTATION = "a segmentation, by its name, not a scan: send the volume that it marks"
TOLD = 3  # reasons that a refusal gives
DAMAGED = (  # what reading a zip raises
    zipfile.BadZipFile,
    zipfile.zlib.error,  # type: ignore[attr-defined]
    lzma.LZMAError,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
)
NO_IMAGE = (
    "There is no image in it: send JPEG, PNG, TIFF, DICOM or NIfTI files, or a zip of them; a zip "
    "within a zip is not opened."
)


@dataclass(frozen=True)
class Decoded:
    """One case of an upload: an image, the slices of a series, or what cannot be answered.

    Attributes:
        name: what the client calls it, without a path.
        kind: `image` or `series`.
        pixels: of the slices, uint8 or float32, shape (n, height, width); n is 0 of what cannot be
            answered.
        patient: a pseudonym; empty where unknown.
        plane: of a series; empty where unknown.
        positions: of the slices along the normal, in mm.
        facts: width, height, mean and spread of grey levels, scanner.
        error: why it cannot be answered; None where it can.
    """

    name: str
    kind: str
    pixels: NDArray[np.uint8] | NDArray[np.float32]
    patient: str = ""
    plane: str = ""
    positions: tuple[float | None, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    error: str | None = None


def shown_upload(given: str) -> str:
    """Return a client's name for a file as it may be shown: its last part, printable, not long.

    >>> shown_upload("../../etc/passwd")
    'passwd'
    """
    last = PurePosixPath(given.replace("\\", "/")).name
    shown = "".join(sign for sign in last if sign.isprintable()).strip()
    return shown[-LONGEST:] or "unnamed"


def to_file_name(number: int, given: str) -> str:
    """Return the name under which a file is written: a number, and how it ends if that is known.

    >>> to_file_name(7, "../../SUB-01_T1.NII.GZ")
    '00007.nii.gz'
    """
    name = given.lower()
    return f"{number:05}{next((own for own in KNOWN_ENDINGS if name.endswith(own)), '')}"


def decode_image_alone(content: bytes) -> "tuple[str, tuple[int, ...], bytes] | str":
    """Read an image; return the type, shape and bytes of its pixels, or why it is refused."""
    try:
        pixels = decode_image(content).pixels
    except UnreadableImage as error:
        if isinstance(error.__cause__, MemoryError):
            raise error.__cause__ from None
        return str(error)
    return pixels.dtype.str, pixels.shape, pixels.tobytes()


def decode_upload(folder: Path, names: Sequence[str], limits: Limits) -> str:
    """Read an upload and write its cases; return why it is refused, else nothing.

    Args:
        folder: with the uploaded files in `in`, in the order of the names; cases go to `out`.
        names: as the client gives them.
        limits: of what is read.
    """
    left = limits.waiting
    try:
        for name in ("files", "out"):  # the process may have died over an earlier attempt
            shutil.rmtree(folder / name, ignore_errors=True)
            (folder / name).mkdir()
        unread = _Unread()
        files = _Unpacking(folder / "files", limits, unread).unpack(folder / "in", names)
        for number, case in enumerate(_cases(folder / "files", files, limits, unread)):
            left -= case.pixels.nbytes
            if left < 0:
                raise RefusedUpload(
                    f"Its slices take more than {limits.waiting >> 20:,} MB: send fewer at once."
                )
            own = folder / "out" / f"{number:05}"
            own.mkdir()
            np.save(own / "pixels.npy", case.pixels, allow_pickle=False)
            described = {key: value for key, value in vars(case).items() if key != "pixels"}
            (own / DESCRIBED).write_text(json.dumps(described), encoding="utf-8")
    except MemoryError:
        return "Reading this takes more memory than an upload may: send less of it at once."
    except TumorscopeError as error:
        return _without_place(str(error), folder)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise
        return "This cannot be read: the file is damaged, or of no kind that is known here."
    return ""


def collect(folder: Path) -> Iterator[Decoded]:
    """Yield the cases that were written to a folder."""
    for own in sorted(folder.iterdir()):
        described = json.loads((own / DESCRIBED).read_text(encoding="utf-8"))
        described["positions"] = tuple(described["positions"])
        yield Decoded(**described, pixels=np.load(own / "pixels.npy", allow_pickle=False))


def _without_place(message: str, folder: Path) -> str:
    """Return a message as a sentence that does not say where uploads lie."""
    message = message.replace(f"{folder / 'files'}/", "").replace(str(folder), "the upload")
    return message if message.endswith(".") else f"{message}."


class _Unpacking:
    """Uploaded files and those in uploaded zips, under numbers in one folder.

    What an operating system leaves behind in a zip or a dropped folder is left out.
    """

    def __init__(self, target: Path, limits: Limits, unread: "_Unread") -> None:
        self._target, self._limits, self._unread = target, limits, unread
        self._left = limits.unpacked
        self._names: dict[str, str] = {}

    def unpack(self, folder: Path, names: Sequence[str]) -> dict[str, str]:
        """Return what each file is called by the client, by its own name.

        Raises:
            RefusedUpload: there are too many, or a zip becomes too large.
        """
        for path, given in zip(sorted(folder.iterdir()), names, strict=True):
            if path.suffix in ("", ".zip") and _is_zip(path):
                self._unzip(path, shown_upload(given))
            elif len(names) == 1 or not _is_left_behind(given):
                os.link(path, self._place(given))
        return self._names

    def _place(self, given: str) -> Path:
        """Return where the next file goes, and remember what it is called."""
        if len(self._names) >= self._limits.files:
            raise RefusedUpload(
                f"There are more than {self._limits.files:,} files in it: send fewer at once."
            )
        own = to_file_name(len(self._names), given)
        self._names[own] = shown_upload(given)
        return self._target / own

    def _unzip(self, path: Path, shown: str) -> None:
        try:
            with zipfile.ZipFile(path) as archive:
                for member in archive.infolist():
                    if not member.is_dir() and not _is_left_behind(member.filename):
                        self._take(archive, member)
        except DAMAGED as error:
            self._unread.add(shown, "image", f"the zip is damaged or locked ({error})")

    def _take(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
        with archive.open(member) as source, self._place(member.filename).open("wb") as file:
            while content := source.read(1 << 20):
                self._left -= len(content)
                if self._left < 0:
                    raise RefusedUpload(
                        f"It becomes larger than {self._limits.unpacked >> 20} MB when it is "
                        "unpacked: send less of it at once."
                    )
                file.write(content)


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(ZIP)) == ZIP


def _is_left_behind(given: str) -> bool:
    """Say whether a file, or a folder that it lies in, is an operating system's own."""
    parts = PurePosixPath(given.replace("\\", "/")).parts
    return any(is_stray(part) for part in parts if part.strip("."))


def _cases(
    folder: Path, names: dict[str, str], limits: Limits, unread: "_Unread"
) -> Iterator[Decoded]:
    """Yield the images and series of a folder, then what cannot be answered.

    Raises:
        RefusedUpload: nothing in it can be answered.
    """
    answerable = 0
    for case in _read(folder, names, limits, unread):
        answerable += 1
        yield case
    if not answerable:
        raise RefusedUpload(unread.sentence() or NO_IMAGE)
    yield from unread.cases()


class _Unread:
    """Files that cannot be answered, told once for each reason, however many there are."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], list[str]] = {}

    def add(self, name: str, kind: str, reason: str) -> None:
        """Add a file: what it is called, `image` or `series`, and why."""
        self._names.setdefault((kind, reason), []).append(name)

    def cases(self) -> Iterator[Decoded]:
        """Yield a case for each reason."""
        for (kind, reason), names in self._names.items():
            yield Decoded(_and_more(names), kind, NO_SLICES, error=reason)

    def sentence(self) -> str:
        """Return the first reasons; nothing where there are none."""
        told = [f"{_and_more(names)}: {reason}" for (_, reason), names in self._names.items()]
        return "; ".join(told[:TOLD]) + "." if told else ""


def _and_more(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _read(
    folder: Path, names: dict[str, str], limits: Limits, unread: _Unread
) -> Iterator[Decoded]:
    """Yield the images and series that can be read; files of other kinds are passed over."""
    tree = walk(folder)
    segmentations = {path for path in tree.files if is_segmentation(names[path])}
    for path in sorted(segmentations):
        unread.add(names[path], "series", A_SEGMENTATION)
    left = set(tree.files) - segmentations
    scans = {path for path in left if holds_series(folder / path)}
    scans |= {path for path in left & set(tree.scans) if not begins_like_image(folder / path)}
    for stack in open_stacks(folder, sorted(scans)):
        if isinstance(stack, LeftOut):
            unread.add(names[stack.image], "series", stack.reason)
        else:
            yield from _series(stack, names, limits, unread)
    images = left & {*tree.images, *tree.scans} if len(names) > 1 else left
    for path in sorted(images - scans):
        try:
            pixels = read_image(folder / path).pixels[None]
        except UnreadableImage as error:
            unread.add(names[path], "image", str(error))
        else:
            yield Decoded(names[path], "image", pixels, facts=picture_facts(pixels))


def _series(
    stack: Stack, names: dict[str, str], limits: Limits, unread: _Unread
) -> Iterator[Decoded]:
    """Yield a series of the slices that can be read, if there are any."""
    if len(stack) > limits.slices:
        raise RefusedUpload(
            f"The series has {len(stack):,} slices, more than {limits.slices:,}: send fewer."
        )
    slices: dict[int, Any] = {}
    bad: dict[str, str] = {}
    for number in range(len(stack)):
        try:
            slices[number] = stack.read(number).pixels
        except UnreadableImage as error:
            bad.setdefault(stack.files[number], str(error))
    for path, reason in bad.items():
        unread.add(names[path], "series", reason)
    if not slices:
        return
    pixels: Any = np.stack(list(slices.values()))
    facts = picture_facts(pixels)
    if stack.facts is not None:
        kept = asdict(stack.facts)
        facts |= {key: kept[key] for key in ("scanner", "field_strength") if kept[key]}
    one = stack.files[0] if len(set(stack.files)) == 1 else ""  # a volume is called as its file is
    name, patient = names.get(one, stack.name), stack.patient
    if stack.facts is None:  # a volume, whose name was the client's and here is a number
        alone = list(names.values()).count(name) == 1
        patient = patient_of_volume(name, stem_is_patient=alone)
    yield Decoded(
        name=name,
        kind="series",
        pixels=pixels,
        patient=patient,
        plane=stack.plane,
        positions=tuple(stack.positions[number] for number in slices),
        facts=facts,
    )
