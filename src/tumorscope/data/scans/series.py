"""Objects of a scanner to series, and the slices of a series that count.

Slices are sorted by where they lie along their normal and never by the name of their file. Objects
of one series that differ in orientation, echo, time or size are series of their own, and so are
those of several acquisitions that lie at the same places.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from tumorscope.data.read.dicom import DicomObject
from tumorscope.data.read.geometry import Geometry

FEW = 10  # slices, of which all count: a person has chosen them
SAME_PLACE = 0.01  # mm
UNEVEN = 0.1  # of the usual spacing
PLACES = 2  # decimals of a millimetre, and of a direction, that tell places apart


@dataclass(frozen=True)
class Frame:
    """One slice of an object.

    Attributes:
        file: the object's path relative to the data set.
        number: which of its slices, from 0.
        geometry: where it lies, None where the header does not say.
        instance: the number that the scanner gave it.
        acquisition: which of several acquisitions it belongs to.
    """

    file: str
    number: int
    geometry: Geometry | None
    instance: int = 0
    acquisition: str = ""

    @property
    def place(self) -> float | None:
        """How far along its normal it lies, in mm, rounded to `PLACES`."""
        return None if self.geometry is None else round(self.geometry.along, PLACES)


@dataclass(frozen=True)
class Series:
    """Slices of one acquisition, in order.

    Attributes:
        folder: where its files lie, relative to the data set; empty at its top.
        uid: what tells it apart in the headers: not to be shown.
        patient: what tells its patient apart: not to be shown; empty where unknown.
        frames: its slices along the normal.
        scanner: the maker and a pseudonym of the machine; empty where unknown.
        field_strength: in tesla; None where unknown.
        identifiers: how many elements of its first header say whose it is.
    """

    folder: str
    uid: str
    patient: str
    frames: tuple[Frame, ...]
    scanner: str = ""
    field_strength: float | None = None
    identifiers: int = 0

    @property
    def plane(self) -> str:
        """`axial`, `coronal` or `sagittal`; empty where unknown."""
        geometry = self.frames[0].geometry
        return geometry.plane if geometry else ""


def group_objects(objects: Iterable[tuple[str, DicomObject]]) -> list[Series]:
    """Sort objects into series, and each series along its normal.

    A series is called the same wherever it lies; of several copies, each in a folder of its own,
    only the first is.

    Args:
        objects: paths relative to the data set, and headers.
    """
    frames: dict[tuple[object, ...], list[Frame]] = defaultdict(list)
    known: dict[tuple[object, ...], Series] = {}
    for path, own in objects:  # whose headers are not kept: there may be many
        folder = path.rpartition("/")[0]
        for number in range(own.frames):
            frame = Frame(path, number, own.geometry(number), own.number, own.acquisition)
            key = (folder, own.series, own.size, _orientation(frame))
            frames[key].append(frame)
            if key not in known:
                told = (own.scanner, own.field_strength, own.identifiers)
                known[key] = Series(folder, repr(key[1:]), own.patient, (), *told)
    parts = [
        part
        for key, series in known.items()
        for part in _in_order(replace(series, frames=tuple(frames[key])))
    ]
    first = {part.uid: part for part in reversed(parts)}
    return [
        part if first[part.uid] is part else replace(part, uid=f"{part.uid}/{part.folder}")
        for part in parts
    ]


def _orientation(frame: Frame) -> tuple[float, ...]:
    if frame.geometry is None:
        return ()
    return tuple(round(n, 1) + 0.0 for n in (*frame.geometry.across, *frame.geometry.down))


def _in_order(series: Series) -> list[Series]:
    """Sort a series; where acquisitions lie at the same places, return each by itself."""
    places = Counter(frame.place for frame in series.frames)
    doubled = any(count > 1 for place, count in places.items() if place is not None)
    parts = {"": series.frames}
    if doubled:
        parts = _by(series.frames, lambda frame: frame.acquisition)
    return [
        replace(series, uid=f"{series.uid}/{name}", frames=tuple(sorted(frames, key=_position)))
        for name, frames in parts.items()
    ]


def _by(frames: Sequence[Frame], key: Callable[[Frame], str]) -> dict[str, tuple[Frame, ...]]:
    parts: dict[str, list[Frame]] = defaultdict(list)
    for frame in frames:
        parts[key(frame)].append(frame)
    return {name: tuple(own) for name, own in parts.items()}


def _position(frame: Frame) -> tuple[float, int, str, int]:
    return (frame.place or 0.0, frame.instance, frame.file, frame.number)


def gaps(places: Sequence[float | None]) -> tuple[int, int, bool]:
    """Return how many slices are doubled and missing, and whether their spacing is uneven.

    Args:
        places: along the normal in mm, in order; None where unknown.

    >>> gaps([0.0, 5.0, 5.0, 10.0, 20.0]), gaps([0.0, 5.0, 10.0, 17.0])
    ((1, 1, False), (0, 0, True))
    """
    known = [place for place in places if place is not None]
    steps = [after - before for before, after in pairwise(known)]
    doubled = sum(step < SAME_PLACE for step in steps)
    moved = sorted(step for step in steps if step >= SAME_PLACE)
    if len(moved) < 2:
        return doubled, 0, False
    usual = moved[len(moved) // 2] if len(moved) > 2 else moved[0]
    wholes = [max(1, round(step / usual)) for step in moved]
    off = max(abs(step / usual - whole) for step, whole in zip(moved, wholes, strict=True))
    return doubled, sum(wholes) - len(wholes), off > UNEVEN


def slices_that_count(count: int) -> range:
    """Return which slices of a series stand for its class, where nothing marks the lesion.

    All of a few, which a person has chosen; else the middle third, where most lesions lie.

    >>> slices_that_count(3), slices_that_count(24)
    (range(0, 3), range(8, 16))
    """
    return range(count) if count < FEW else range(count // 3, count - count // 3)
