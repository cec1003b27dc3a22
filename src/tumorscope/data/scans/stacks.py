"""Files of a scanner to stacks: the slices of one acquisition in order, read when they are wanted.

Of what the headers say, only pseudonyms and places leave this module.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscope.data.read.dicom import DicomObject, open_dicom, read_header
from tumorscope.data.read.image import read_bytes
from tumorscope.data.read.nifti import ENDINGS, Volume, open_nifti
from tumorscope.data.scans.pseudonyms import pseudonym
from tumorscope.data.scans.series import Series, gaps, group_objects, slices_that_count
from tumorscope.errors import UnreadableImage
from tumorscope.records import Box, LeftOut, SeriesFacts, Slice
from tumorscope.support.extras import require_extra

HEADERS_KEPT = 256
HEADERS_AT_ONCE = 4  # workers: reading headers waits for the disk more than for a core
SEGMENTED = "_seg"  # ends the name of a volume that marks the lesions of those beside it
SUBJECT = re.compile(r"sub-[a-z0-9]+|.*\d(?=_(t1|t1ce|t1gd|t1c|t2|t2f|t2w|t1n|flair|seg)$)", re.I)


@dataclass(frozen=True)
class Stack:
    """The slices of one acquisition, in order along their normal.

    Attributes:
        name: tells it apart: a pseudonym of the series, or the path of a volume without its ending.
        root: the data set.
        folder: where its files lie, relative to it; empty at its top.
        patient: a pseudonym, or what the name of a volume says; empty where unknown.
        plane: `axial`, `coronal` or `sagittal`; empty where unknown.
        files: the file of each slice, relative to the data set.
        positions: of each slice along the normal, in mm; None where the header does not say.
        read: returns a slice by its number, from 0; raises UnreadableImage.
        boxes: around the lesions of slices that a segmentation marks, by number.
        volumes: how many volumes the file holds, of which the first is taken.
        facts: what the headers say of the whole; None of a volume.
    """

    name: str
    root: Path
    folder: str
    patient: str
    plane: str
    files: tuple[str, ...]
    positions: tuple[float | None, ...]
    read: Callable[[int], Slice]
    boxes: Mapping[int, Box] = field(default_factory=dict)
    volumes: int = 1
    facts: SeriesFacts | None = None

    def __len__(self) -> int:
        return len(self.files)

    @property
    def chosen(self) -> Sequence[int]:
        """The slices that stand for its class: those that are marked, or else the middle."""
        return sorted(self.boxes) or slices_that_count(len(self))

    def slice_name(self, number: int) -> str:
        """Return what a slice is called: its file, and its number where the file has several."""
        file = self.files[number]
        return file if self.files.count(file) == 1 else f"{file}#{number + 1}"


@dataclass(frozen=True)
class ScanOptions:
    """How files of a scanner are read.

    Attributes:
        plane: in which volumes are sliced: `axial`, `coronal`, `sagittal`, or across their coarsest
            axis (`auto`).
        keep_identifiers: whether patients keep their own identifiers in place of pseudonyms.
    """

    plane: str = "auto"
    keep_identifiers: bool = False


AS_EVER = ScanOptions()


def open_stacks(
    root: Path, files: Sequence[str], options: ScanOptions = AS_EVER
) -> Iterator[Stack | LeftOut]:
    """Yield the stacks that files of a scanner hold, and the files that are of no use.

    A stack of a volume keeps it in memory until it is let go.

    Args:
        root: the data set.
        files: paths relative to it, of DICOM objects and of NIfTI volumes.
        options: how they are read.

    Raises:
        MissingExtra: what reads them is not installed.
    """
    volumes = [path for path in files if path.lower().endswith(ENDINGS)]
    objects = sorted(set(files) - set(volumes))
    if objects:
        require_extra("dicom", "Reading DICOM")
        yield from _of_objects(root, objects, options)
    if volumes:
        require_extra("nifti", "Reading NIfTI")
        yield from _of_volumes(root, volumes, options)


def read_headers(
    root: Path, files: Sequence[str], pool: Executor
) -> Iterator[tuple[str, DicomObject | LeftOut]]:
    """Yield the header of each DICOM object, or why it is of no use; no pixel is read."""

    def header(path: str) -> DicomObject | LeftOut:
        """Return one file's header."""
        try:
            found = read_header(root / path)
        except UnreadableImage as error:
            return LeftOut(path, str(error))
        return LeftOut(path, found.refusal, refused=True) if found.refusal else found

    for start in range(0, len(files), HEADERS_KEPT):  # or those that were read would pile up
        some = files[start : start + HEADERS_KEPT]
        yield from zip(some, pool.map(header, some), strict=True)


def _of_objects(
    root: Path, files: Sequence[str], options: ScanOptions
) -> Iterator[Stack | LeftOut]:
    useless: list[LeftOut] = []

    def headers() -> Iterator[tuple[str, DicomObject]]:
        """Yield headers that are of use, and keep why others are not."""
        with ThreadPoolExecutor(HEADERS_AT_ONCE) as pool:
            for path, found in read_headers(root, files, pool):
                if isinstance(found, LeftOut):
                    useless.append(found)
                else:
                    yield path, found

    all_series = group_objects(headers())
    yield from useless
    for series in all_series:
        yield _of_series(root, series, keep_identifiers=options.keep_identifiers)


def _of_series(root: Path, series: Series, *, keep_identifiers: bool) -> Stack:
    frames, patient = series.frames, series.patient
    # An object of many frames is opened once for all of them.
    opened = lru_cache(maxsize=1)(lambda file: open_dicom(read_bytes(root / file)))

    def read(number: int) -> Slice:
        """Decode one slice."""
        return opened(frames[number].file).slice(frames[number].number)

    name = pseudonym("series", series.uid)
    return Stack(
        name=name,
        root=root,
        folder=series.folder,
        patient=patient if keep_identifiers else pseudonym("patient", patient) if patient else "",
        plane=series.plane,
        files=tuple(frame.file for frame in frames),
        positions=tuple(frame.place for frame in frames),
        read=read,
        facts=_facts(name, series),
    )


def _facts(name: str, series: Series) -> SeriesFacts:
    """Return what may be known of a series."""
    doubled, missing, uneven = gaps([frame.place for frame in series.frames])
    maker, _, machine = series.scanner.partition("/")
    return SeriesFacts(
        name=name,
        folder=series.folder,
        slices=len(series.frames),
        doubled=doubled,
        missing=missing,
        uneven=uneven,
        scanner=f"{maker} {pseudonym('scanner', machine)}" if maker else "",
        field_strength=series.field_strength,
        identifiers=series.identifiers,
    )


def _of_volumes(
    root: Path, files: Sequence[str], options: ScanOptions
) -> Iterator[Stack | LeftOut]:
    marked = {path for path in files if is_segmentation(path)}
    stems = Counter(_stem(path) for path in files)
    for path in files:
        if path in marked:
            reason = "a segmentation, read beside the volumes that it marks"
            yield LeftOut(path, reason, refused=True)
            continue
        try:
            volume = open_nifti(read_bytes(root / path), options.plane)
            lesions = _lesions(root, path, marked, volume)
        except UnreadableImage as error:
            yield LeftOut(path, str(error))
            continue
        yield _of_volume(root, path, volume, lesions, stem_is_patient=stems[_stem(path)] == 1)


def _of_volume(
    root: Path, path: str, volume: Volume, lesions: Volume | None, *, stem_is_patient: bool
) -> Stack:
    folder, stem = PurePosixPath(path).parent, _stem(path)
    masks = {} if lesions is None else {n: lesions.picture(n) for n in range(len(volume))}
    return Stack(
        name=str(folder / stem),
        root=root,
        folder="" if str(folder) == "." else str(folder),
        patient=patient_of_volume(path, stem_is_patient=stem_is_patient),
        plane=volume.plane,
        files=(path,) * len(volume),
        positions=tuple(n * volume.spacing[volume.axis] for n in range(len(volume))),
        read=volume.slice,
        boxes={number: box for number, mask in masks.items() if (box := _box(mask))},
        volumes=volume.volumes,
    )


def is_segmentation(path: str) -> bool:
    """Say whether a volume marks the lesions of others, by its name.

    >>> is_segmentation("BraTS-001_seg.nii.gz"), is_segmentation("BraTS-001_t1ce.nii.gz")
    (True, False)
    """
    return path.lower().endswith(ENDINGS) and _stem(path).lower().endswith(SEGMENTED)


def patient_of_volume(path: str, *, stem_is_patient: bool) -> str:
    """Return whom a volume's name says that it shows; empty where it says nothing.

    Args:
        path: of the volume, or its name.
        stem_is_patient: whether the name itself stands for a patient where it names none.
    """
    subject = SUBJECT.match(_stem(path))
    if subject:
        return subject[0]
    return _stem(path) if stem_is_patient else ""


def _lesions(root: Path, path: str, marked: set[str], volume: Volume) -> Volume | None:
    """Return the segmentation beside a volume, where there is one of its shape."""
    folder, stem = PurePosixPath(path).parent, _stem(path)
    found = SUBJECT.match(stem)
    for base in {stem, found[0] if found else stem}:
        for other in marked:
            beside = PurePosixPath(other).parent == folder
            if beside and _stem(other).lower() == f"{base}{SEGMENTED}".lower():
                own = open_nifti(read_bytes(root / other), volume.plane)
                return own if own.levels.shape == volume.levels.shape else None
    return None


def _box(mask: NDArray[Any]) -> Box | None:
    """Return the rectangle around what a mask marks."""
    down, right = np.nonzero(mask)
    if not len(down):
        return None
    (top, bottom), (left, end) = ((int(n.min()), int(n.max()) + 1) for n in (down, right))
    high, wide = mask.shape
    middle = ((left + end) / 2 / wide, (top + bottom) / 2 / high)
    return Box(*middle, (end - left) / wide, (bottom - top) / high)


def _stem(path: str) -> str:
    """Return a volume's name without its folder and its ending."""
    name = PurePosixPath(path).name
    ending = next(end for end in sorted(ENDINGS, key=len)[::-1] if name.lower().endswith(end))
    return name[: -len(ending)]
