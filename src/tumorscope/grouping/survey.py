"""What one look at all images of a data set shows: copies, known slices, groups. Computed once."""

import re
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from tumorscope.data.store import Store
from tumorscope.errors import DataError
from tumorscope.grouping.copies import find_copies
from tumorscope.grouping.likeness import NearCopy, Prints, components, fingerprints
from tumorscope.grouping.lineage import Match, Table, load_tables, match_slices
from tumorscope.records import Row
from tumorscope.schema.grouping import ALL, GroupingRules
from tumorscope.schema.labels import same_class

SERIES_LIKENESS = 0.8  # of neighbours in a series of file names that are taken for one patient
NUMBERED = re.compile(r"^(.*?)(\d+)(\D*)$")


class Survey:
    """What the checks and the split know of a data set.

    Attributes:
        store: its images.
        rows: one row per image.
        labels: class numbers, int, shape (rows,).
        rules: what holds images together.

    Raises:
        DataError: the rules keep an image apart that is not there.
    """

    def __init__(
        self,
        store: Store,
        tables: Sequence[Table] | None = None,
        rules: GroupingRules = ALL,
    ) -> None:
        self.store = store
        self.rules = rules
        self.rows: tuple[Row, ...] = store.manifest.rows
        self.classes = store.manifest.classes
        self.labels = store.manifest.class_numbers()
        self._tables = tables
        here = {row.image for row in self.rows}
        unknown = [image for pair in rules.apart for image in pair if image not in here]
        if unknown:
            raise DataError(
                f"'{unknown[0]}' is to be kept apart and is no image of {store.manifest.root}: "
                "give paths as they stand in an audit's copies.csv."
            )

    @cached_property
    def prints(self) -> Prints:
        """The fingerprints of all images."""
        return fingerprints(self.store.thumbnails)

    @cached_property
    def same_bytes(self) -> NDArray[np.intp]:
        """A number that files with the same bytes share, int, shape (rows,)."""
        return _numbered([facts.sha256 for facts in self.store.facts])

    @cached_property
    def same_pixels(self) -> NDArray[np.intp]:
        """A number that images with the same decoded pixels share, int, shape (rows,)."""
        return _numbered([facts.pixel_digest for facts in self.store.facts])

    @cached_property
    def near(self) -> list[NearCopy]:
        """Pairs of near and augmented copies among images whose pixels differ."""
        first = np.sort(np.unique(self.same_pixels, return_index=True)[1])
        apart = {frozenset(pair) for pair in self.rules.apart}
        return [
            copy
            for copy in find_copies(self.store, first)
            if frozenset((self.rows[copy.first].image, self.rows[copy.second].image)) not in apart
        ]

    @cached_property
    def same_image(self) -> NDArray[np.intp]:
        """A number that exact and near copies share, closed over chains of copies."""
        return components(len(self.rows), [*self._pixel_links(), *self._near_links()])

    @cached_property
    def matches(self) -> dict[int, Match]:
        """The images that are slices of known sets, by row number."""
        tables = load_tables() if self._tables is None else self._tables
        return {m.row: m for m in match_slices(self.store.thumbnails, tables)}

    @cached_property
    def disagreements(self) -> list[Match]:
        """The matches whose label in the known set is not the label here."""
        here = {same_class(name) for name in self.classes}
        return [
            match
            for match in self.matches.values()
            if same_class(match.label) in here
            and same_class(match.label) != same_class(self.rows[match.row].label)
        ]

    @cached_property
    def patients(self) -> list[str | None]:
        """Whom each image belongs to: as given, else by lineage, else None."""
        return [
            row.patient_id or (self._known_patient(number)) for number, row in enumerate(self.rows)
        ]

    def _known_patient(self, number: int) -> str | None:
        match = self.matches.get(number)
        return f"{match.set_name}:{match.patient}" if match else None

    def groups(self) -> NDArray[np.intp]:
        """Return the group of each row: the closure of what the rules hold together.

        Returns:
            int, shape (rows,).
        """
        rules = self.rules
        links: list[tuple[int, int]] = []
        if rules.patients:
            links += _chain([row.patient_id for row in self.rows])
        if rules.lineage:
            links += _chain([self._known_patient(n) for n in range(len(self.rows))])
        if rules.copies:
            links += [*self._pixel_links(), *self._near_links()]
        if rules.series:
            links += self._series_links()
        return components(len(self.rows), links)

    def _pixel_links(self) -> list[tuple[int, int]]:
        return _chain([str(n) for n in self.same_pixels])

    def _near_links(self) -> list[tuple[int, int]]:
        return [(pair.first, pair.second) for pair in self.near]

    def _series_links(self) -> list[tuple[int, int]]:
        """Link neighbours in a series of file names of which neither patient is known."""
        series: dict[tuple[str, str, str], list[tuple[int, int]]] = {}
        for number, row in enumerate(self.rows):
            if self.patients[number] is None:
                path = PurePosixPath(row.image)
                if parts := NUMBERED.match(path.stem):
                    key = (str(path.parent), parts[1], parts[3])
                    series.setdefault(key, []).append((int(parts[2]), number))
        links = []
        for members in series.values():
            members.sort()
            for (position, first), (other, second) in pairwise(members):
                if (
                    other == position + 1
                    and self.prints[first] @ self.prints[second] > SERIES_LIKENESS
                ):
                    links.append((first, second))
        return links


def held_out(rows: Sequence[Row]) -> NDArray[np.bool_] | None:
    """Say which rows a published split gives the score on; None where no split is published.

    The test part, or the validation part where no test part is published.
    """
    parts = {row.split for row in rows}
    last = "test" if "test" in parts else "validation"
    if None in parts or not {"train", last} <= parts:
        return None
    return np.array([row.split == last for row in rows])


def _numbered(keys: Sequence[str]) -> NDArray[np.intp]:
    return np.asarray(np.unique(keys, return_inverse=True)[1], dtype=np.intp).reshape(-1)


def _chain(keys: Sequence[str | None]) -> list[tuple[int, int]]:
    """Link each row to the one before that has the same key."""
    last: dict[str, int] = {}
    links = []
    for number, key in enumerate(keys):
        if key is None:
            continue
        if key in last:
            links.append((last[key], number))
        last[key] = number
    return links
