"""Where slices lie in the patient, and how a picture of them is turned to be looked at."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PLANES = ("sagittal", "coronal", "axial")  # by the axis of the patient that is looked along
# Directions in which a picture of each plane is counted, across and down, as radiologists look at
# it: the patient's right is on the left, the front is up (axial) or on the left (sagittal).
UPRIGHT = {
    "axial": ((1, 0, 0), (0, 1, 0)),
    "coronal": ((1, 0, 0), (0, 0, -1)),
    "sagittal": ((0, 1, 0), (0, 0, -1)),
}


@dataclass(frozen=True)
class Geometry:
    """Where a frame lies in the patient, in mm; DICOM counts to the left, the back and the head.

    Attributes:
        position: of the middle of its first pixel.
        across, down: the directions in which its columns and its rows are counted, of length 1.
        spacing: from row to row and from column to column; empty where unknown.
    """

    position: tuple[float, float, float]
    across: tuple[float, float, float]
    down: tuple[float, float, float]
    spacing: tuple[float, ...] = ()

    @property
    def normal(self) -> NDArray[np.float64]:
        """The direction that is looked along."""
        return np.cross(self.across, self.down)

    @property
    def plane(self) -> str:
        """One of `PLANES`, the nearest."""
        return PLANES[int(np.abs(self.normal).argmax())]

    def upright(self, levels: NDArray[Any]) -> NDArray[Any]:
        """Return a frame turned and mirrored so that it lies as `UPRIGHT` says."""
        across, down = np.array(self.across), np.array(self.down)
        wanted_across, wanted_down = UPRIGHT[self.plane]
        if abs(down @ wanted_across) > abs(across @ wanted_across):
            levels, across, down = levels.swapaxes(0, 1), down, across
        if across @ wanted_across < 0:
            levels = levels[:, ::-1]
        return levels[::-1] if down @ wanted_down < 0 else levels

    @property
    def along(self) -> float:
        """How far along the normal it lies: what slices are sorted by."""
        return float(self.normal @ self.position)
