"""Which test images are not new to training."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscope.grouping.survey import Survey, held_out

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Leaks:
    """Which test images are not new to training; each kind contains the one before.

    Attributes:
        tested: which rows are test images; with folds, all of them.
        byte_identical, pixel_identical, near_identical: a copy of them is on the other side; the
            last also a copy of a copy.
        same_patient: another slice of their patient is on the other side, as far as known.
    """

    tested: Mask
    byte_identical: Mask
    pixel_identical: Mask
    near_identical: Mask
    same_patient: Mask

    @property
    def any(self) -> Mask:
        """Test images that leak in any way."""
        return np.asarray(self.near_identical | self.same_patient)


def find_leaks(survey: Survey) -> Leaks | None:
    """Return the leaks of the published split or, without one, of the folds; None without both."""
    sides = _sides(survey)
    if sides is None:
        return None
    side, tested = sides
    return leaks_between(survey, side, tested)


def leaks_between(survey: Survey, side: NDArray[np.intp], tested: Mask) -> Leaks:
    """Return the leaks between any parts.

    Args:
        survey: the data set.
        side: the number of each row's part.
        tested: which rows are test images.
    """
    patients = np.unique([p or f"?{n}" for n, p in enumerate(survey.patients)], return_inverse=True)
    same_bytes = _crosses(survey.same_bytes, side) & tested
    same_pixels = (_crosses(survey.same_pixels, side) & tested) | same_bytes
    near = (_crosses(survey.same_image, side) & tested) | same_pixels
    return Leaks(tested, same_bytes, same_pixels, near, _crosses(patients[1], side) & tested)


def _sides(survey: Survey) -> tuple[NDArray[np.intp], Mask] | None:
    tested = held_out(survey.rows)
    if tested is not None:
        return tested.astype(np.intp), tested
    folds = [row.fold for row in survey.rows]
    if None in folds or len(set(folds)) < 2:
        return None
    return np.array(folds, dtype=np.intp), np.ones(len(folds), np.bool_)


def _crosses(keys: NDArray[np.intp], side: NDArray[np.intp]) -> Mask:
    """Say for each row whether its key stands on another side too."""
    pairs = np.unique(np.stack([keys, side], 1), axis=0)
    shared = np.bincount(pairs[:, 0], minlength=int(keys.max(initial=0)) + 1) > 1
    return np.asarray(shared[keys])
