"""Uploads to slices, in processes of their own that may die without harm.

What a client sends is hostile until it is read: it is written under numbers, never under names of
the client, and read by a process with a limit on its memory and its time. That holds back what is
damaged or too large; it is no sandbox against a fault in a decoder that runs foreign code.
"""

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from queue import Queue
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tumorscope.data.read import decode_image, read_image
from tumorscope.data.scans.stacks import Stack, open_stacks, patient_of_volume
from tumorscope.errors import TumorscopeError, UnreadableImage
from tumorscope.inference.series import holds_series
from tumorscope.records import LeftOut
from tumorscope.serve.expendable import ExpendableProcess
from tumorscope.serve.limits import NO_ROOM, Limits, RefusedUpload
from tumorscope.watching.record import picture_facts

ENDINGS = (".nii.gz", ".nii", ".dcm", ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
ZIP = b"PK\x03\x04"
DIRECT = (
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"BM",
)  # images that are read from memory; PNG the longest
PROCESSES = 2
SMALL = 16 << 20  # bytes that need no file between two processes
LONGEST = 120  # characters of a name that are kept
DESCRIBED = "described.json"


@dataclass(frozen=True)
class Decoded:
    """One case of an upload: an image, or the slices of a series.

    Attributes:
        name: what the client calls it, without a path.
        kind: `image` or `series`.
        patient: a pseudonym; empty where unknown.
        plane: of a series; empty where unknown.
        positions: of the slices along the normal, in mm.
        facts: width, height, mean and spread of grey levels, scanner.
        pixels: of the slices, uint8 or float32, shape (n, height, width).
    """

    name: str
    kind: str
    patient: str
    plane: str
    positions: tuple[float | None, ...]
    facts: dict[str, Any]
    pixels: NDArray[np.uint8] | NDArray[np.float32]


class Decoder:
    """Reads uploads in other processes, one at a time in each, so that none waits for another."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._processes = [
            ExpendableProcess(limits.memory, limits.seconds) for _ in range(PROCESSES)
        ]
        self._idle: Queue[ExpendableProcess] = Queue()
        for process in self._processes:
            self._idle.put(process)

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.end()

    def start(self) -> None:
        """Start the processes, so that the first uploads do not wait for them."""
        for process in self._processes:
            process.start()

    def __call__(self, uploads: Sequence[tuple[str, BinaryIO]]) -> list[Decoded]:
        """Read an upload.

        Args:
            uploads: names, as the client gives them, and contents.

        Returns:
            Its cases, at least one.

        Raises:
            RefusedUpload: it cannot be read, or takes more than it may.
        """
        if len(uploads) == 1:
            name, content = uploads[0]
            start = content.read(len(DIRECT[0]))
            content.seek(0)
            if start.startswith(DIRECT) and _size(content) <= SMALL:
                return [self.image(shown_upload(name), content.read())]
        with tempfile.TemporaryDirectory(prefix="tumorscope-") as name:
            folder = Path(name)
            (folder / "in").mkdir()
            (folder / "out").mkdir()
            names = []
            for number, (given, content) in enumerate(uploads):
                shown = shown_upload(given)
                names.append(shown)
                with (folder / "in" / f"{number:05}{_ending(shown)}").open("wb") as file:
                    shutil.copyfileobj(content, file)
            refused = self._done(_decode, folder, names, self._limits)
            if refused:
                raise RefusedUpload(refused)
            return list(_collect(folder / "out"))

    def image(self, name: str, content: bytes) -> Decoded:
        """Read one image, for which nothing need be written to a disk.

        Raises:
            RefusedUpload: it cannot be read, or takes more than it may.
        """
        found = self._done(_decode_image, content)
        if isinstance(found, str):
            raise RefusedUpload(f"{name}: {found}.")
        kind, shape, levels = found
        pixels: Any = np.frombuffer(levels, kind).reshape(1, *shape)
        return Decoded(name, "image", "", "", (), picture_facts(pixels), pixels)

    def _done(self, function: Any, *arguments: object) -> Any:
        """Return what a function gives in one of the processes, as soon as one is idle."""
        process = self._idle.get()
        try:
            return process.run(function, *arguments)
        finally:
            self._idle.put(process)


def _size(content: BinaryIO) -> int:
    size = content.seek(0, os.SEEK_END)
    content.seek(0)
    return size


def shown_upload(given: str) -> str:
    """Return a client's name for a file as it may be shown: its last part, printable, not long.

    >>> shown_upload("../../etc/passwd")
    'passwd'
    """
    last = PurePosixPath(given.replace("\\", "/")).name
    shown = "".join(sign for sign in last if sign.isprintable()).strip()
    return shown[-LONGEST:] or "unnamed"


def _ending(name: str) -> str:
    """Return the ending by which a file is read, of those that are known."""
    return next((own for own in ENDINGS if name.lower().endswith(own)), "")


def _decode_image(content: bytes) -> "tuple[str, tuple[int, ...], bytes] | str":
    """Read an image; return the type, shape and bytes of its pixels, or why it is refused."""
    try:
        pixels = decode_image(content).pixels
    except UnreadableImage as error:
        if isinstance(error.__cause__, MemoryError):
            raise error.__cause__ from None
        return str(error)
    return pixels.dtype.str, pixels.shape, pixels.tobytes()


def _decode(folder: Path, names: Sequence[str], limits: Limits) -> str:
    """Read an upload and write its cases; return why it is refused, else nothing."""
    try:
        unpacked, shown = _unpacked(folder / "in", names, limits)
        cases = list(_cases(unpacked, shown, limits))
        if not cases:
            return "There is no image in it: send a JPEG, PNG, TIFF, DICOM or NIfTI file."
        for number, case in enumerate(cases):
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


def _without_place(message: str, folder: Path) -> str:
    """Return a message as a sentence that does not say where uploads lie."""
    message = message.replace(f"{folder / 'in'}/", "").replace(str(folder), "the upload")
    return message if message.endswith(".") else f"{message}."


def _collect(folder: Path) -> Iterator[Decoded]:
    for own in sorted(folder.iterdir()):
        described = json.loads((own / DESCRIBED).read_text(encoding="utf-8"))
        described["positions"] = tuple(described["positions"])
        yield Decoded(**described, pixels=np.load(own / "pixels.npy", allow_pickle=False))


def _unpacked(folder: Path, names: Sequence[str], limits: Limits) -> tuple[Path, dict[str, str]]:
    """Unpack a zip, if that is all that was sent; return the folder and what its files are called.

    Raises:
        RefusedUpload: the zip is damaged or becomes too large.
    """
    files = sorted(folder.iterdir())
    shown = {path.name: name for path, name in zip(files, names, strict=True)}
    with files[0].open("rb") as file:
        if len(files) > 1 or file.read(4) != ZIP:
            return folder, shown
    target = folder.parent / "unpacked"
    target.mkdir()
    left, shown = limits.unpacked, {}
    try:
        with zipfile.ZipFile(files[0]) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
            if len(members) > limits.files:
                raise RefusedUpload(f"The zip holds more than {limits.files:,} files.")
            for number, member in enumerate(members):
                name = shown_upload(member.filename)
                own = f"{number:05}{_ending(name)}"
                shown[own] = name
                with archive.open(member) as source, (target / own).open("wb") as file:
                    while content := source.read(1 << 20):
                        left -= len(content)
                        if left < 0:
                            raise RefusedUpload(
                                f"The zip becomes larger than {limits.unpacked >> 20} MB: send "
                                "less of it at once."
                            )
                        file.write(content)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise RefusedUpload(f"The zip is damaged or locked ({error}).") from error
    except zipfile.zlib.error as error:  # type: ignore[attr-defined]
        raise RefusedUpload(f"The zip is damaged ({error}).") from error
    return target, shown


def _cases(folder: Path, shown: dict[str, str], limits: Limits) -> Iterator[Decoded]:
    """Yield the images and series of a folder."""
    scans = [path.name for path in sorted(folder.iterdir()) if holds_series(path)]
    images = [name for name in shown if name not in scans]
    reasons = []
    if scans:
        for stack in open_stacks(folder, scans):
            if isinstance(stack, LeftOut):
                reasons.append(f"{shown.get(stack.image, 'a file')}: {stack.reason}")
            else:
                yield _series(stack, shown, limits)
    for name in images:
        try:
            found = read_image(folder / name)
        except UnreadableImage as error:
            reasons.append(f"{shown[name]}: {error}")
            continue
        pixels = found.pixels[None]
        yield Decoded(shown[name], "image", "", "", (), picture_facts(pixels), pixels)
    if reasons and len(reasons) == len(shown):
        raise RefusedUpload("; ".join(reasons[:3]) + ".")


def _series(stack: Stack, shown: dict[str, str], limits: Limits) -> Decoded:
    if len(stack) > limits.slices:
        raise RefusedUpload(
            f"The series has {len(stack):,} slices, more than {limits.slices:,}: send fewer."
        )
    slices = [stack.read(number).pixels for number in range(len(stack))]
    pixels: Any = np.stack(slices)
    own = set(stack.files)
    facts = picture_facts(pixels)
    if stack.facts is not None:
        kept = asdict(stack.facts)
        facts |= {key: kept[key] for key in ("scanner", "field_strength") if kept[key]}
    one = next(iter(own)) if len(own) == 1 else ""  # a volume is called what its file is
    name, patient = shown.get(one, stack.name), stack.patient
    if stack.facts is None:  # a volume, whose name was the client's and here is a number
        alone = list(shown.values()).count(name) == 1
        patient = patient_of_volume(name, stem_is_patient=alone)
    return Decoded(
        name=name,
        kind="series",
        patient=patient,
        plane=stack.plane,
        positions=stack.positions,
        facts=facts,
        pixels=pixels,
    )
