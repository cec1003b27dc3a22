"""Small data sets in which exactly one thing is wrong."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscope.data.layouts import read_manifest
from tumorscope.data.phantom import LESIONS, Head
from tumorscope.data.store import MIDDLE, open_store
from tumorscope.grouping.survey import Survey

Make = Callable[[], Path]


class DataFolder:
    """A folder of phantoms that tests spoil in one way."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, label: str, name: str, seed: int, slice_number: int = 0) -> Path:
        """Draw one slice of one patient."""
        lesion = LESIONS[seed % 4]
        pixels = Head(lesion, seed).slice(slice_number).pixels
        return self.put(label, name, Image.fromarray(pixels))

    def put(self, label: str, name: str, image: Image.Image) -> Path:
        """Write any picture."""
        path = self.root / label / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
        return path

    def survey(self) -> Survey:
        """Look at what is there, without tables of known sets."""
        return Survey(open_store(read_manifest(self.root), MIDDLE), tables=[])


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """Two classes of four patients each, nothing wrong."""
    made = DataFolder(tmp_path / "data")
    for number in range(4):
        made.add("a", f"{number}x.png", 10 + number)
        made.add("b", f"{number}x.png", 20 + number)
    return made


@pytest.fixture
def published(tmp_path: Path) -> DataFolder:
    """The same under `Training` and `Testing`, other patients in each."""
    made = DataFolder(tmp_path / "published")
    for number in range(4):
        for place, base in (("Training", 10), ("Testing", 30)):
            made.add(f"{place}/a", f"{number}x.png", base + number)
            made.add(f"{place}/b", f"{number}x.png", base + 10 + number)
    return made


def screenshot() -> Image.Image:
    """A coloured picture that is no head."""
    pixels = np.zeros((300, 600, 3), np.uint8)
    pixels[40:60, 20:500] = (250, 40, 40)
    pixels[100:220, 50:90] = (20, 200, 60)
    return Image.fromarray(pixels)
