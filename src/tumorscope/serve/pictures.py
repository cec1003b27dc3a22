"""Slices and their maps as pictures, and those of them that are kept in memory."""

import io
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tumorscope.explanation.explain import Explainer
from tumorscope.inference.bundle import Bundle

MAPS_KEPT = 64  # in memory


def as_png(pixels: NDArray[np.uint8], mode: str) -> bytes:
    """Return pixels as a PNG file, in one of Pillow's modes."""
    buffer = io.BytesIO()
    Image.fromarray(pixels, mode).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


class Maps:
    """Maps of where a network looked. Safe to share between threads."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._looking = threading.Lock()  # into one network, one at a time
        self._explainer: Explainer | None = None
        self._kept: OrderedDict[tuple[str, int, str], bytes] = OrderedDict()

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of the maps that can be had."""
        with self._looking:
            return self._opened().methods

    def png(self, key: tuple[str, int, str], read: Callable[[], NDArray[Any]]) -> bytes:
        """Return the map of one slice, in the colours of the legend, its strength as opacity.

        Args:
            key: the case, the number of the slice, and the method; empty for the best.
            read: returns the slice.

        Raises:
            UsageError: there is no such slice or method.
        """
        from tumorscope.explanation.overlay import colours  # noqa: PLC0415

        if key in self._kept:
            return self._kept[key]
        pixels, method = read(), key[-1]
        with self._looking:
            found = self._opened()(pixels, [method] if method else ()).maps
        levels = np.rint(next(iter(found.values())) * 255).astype(np.uint8)
        picture = as_png(np.dstack([colours()[levels], levels]), "RGBA")
        self._kept[key] = picture
        while len(self._kept) > MAPS_KEPT:
            self._kept.popitem(last=False)
        return picture

    def _opened(self) -> Explainer:
        if self._explainer is None:
            self._explainer = Explainer(self._bundle)
        return self._explainer


class RecentSlices:
    """Slices of the cases that were looked at last, up to a number of bytes."""

    def __init__(self, most: int) -> None:
        self._most, self._held = most, 0
        self._kept: OrderedDict[str, NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, case: str, pixels: NDArray[Any]) -> None:
        """Keep the slices of a case, as long as there is room."""
        with self._lock:
            if case in self._kept:
                self._held -= self._kept.pop(case).nbytes
            self._kept[case] = pixels
            self._held += pixels.nbytes
            while self._held > self._most and len(self._kept) > 1:
                self._held -= self._kept.popitem(last=False)[1].nbytes

    def get(self, case: str) -> NDArray[Any] | None:
        """Return the slices of a case; None where they are no longer held."""
        with self._lock:
            if case in self._kept:
                self._kept.move_to_end(case)
            return self._kept.get(case)
