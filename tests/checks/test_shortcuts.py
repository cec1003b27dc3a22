"""TS009."""

import numpy as np
from PIL import Image

from tests.checks.conftest import DataFolder
from tumorscope.checks.shortcuts import Shortcuts
from tumorscope.evaluation.controls import LARGEST, sample


def noise(seed: int, side: int) -> Image.Image:
    """A picture that says nothing of its class."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side), np.uint8)
    return Image.fromarray(pixels)


def test_not_applicable_to_a_few_images(folder: DataFolder) -> None:
    """Two images of a class are no ground for a probe."""
    for number in range(2, 4):
        (folder.root / "a" / f"{number}x.png").unlink()
    assert Shortcuts().run(folder.survey()).status == "not applicable"


def test_silent_and_fires(tmp_path: object, folder: DataFolder) -> None:
    """Noise tells nothing, unless one class comes in another size."""
    made = DataFolder(folder.root.parent / "noise")
    for number in range(40):
        for place, label in enumerate("ab"):
            made.put(label, f"n{number}{label}.png", noise(2 * number + place, 80))
    assert Shortcuts().run(made.survey()).status == "passed"
    for number in range(40):
        made.put("b", f"n{number}b.png", noise(2 * number + 1, 96))
    finding = Shortcuts().run(made.survey())
    assert finding.status == "found"
    assert finding.evidence[0][:2] == ("file facts", "100.0%")


def test_a_large_set_is_sampled() -> None:
    """All rows of a small set; of a large one so many, from all over it, none twice."""
    assert sample(5).tolist() == [0, 1, 2, 3, 4]
    rows = sample(10 * LARGEST)
    assert len(np.unique(rows)) == len(rows) == LARGEST
    assert rows.min() < LARGEST
    assert rows.max() > 9 * LARGEST
