"""TS008."""

import numpy as np
from PIL import Image

from tests.checks.conftest import DataFolder, screenshot
from tumorscope.checks.odd import OddOnes


def test_silent(folder: DataFolder) -> None:
    """Heads among heads."""
    assert OddOnes().run(folder.survey()).status == "passed"


def test_fires(folder: DataFolder) -> None:
    """Blank, tiny, 16-bit and coloured pictures are named with what is odd."""
    folder.put("a", "blank.png", Image.new("L", (100, 100), 7))
    folder.put("a", "tiny.png", Image.open(folder.root / "a" / "0x.png").resize((30, 30)))
    folder.put("a", "shot.png", screenshot())
    deep = np.asarray(Image.open(folder.root / "a" / "1x.png")).astype(np.uint16) * 200
    folder.put("b", "deep.png", Image.fromarray(deep))
    evidence = {row[0]: row[1] for row in OddOnes().run(folder.survey()).evidence}
    assert "blank" in evidence["a/blank.png"]
    assert "tiny (30 × 30)" in evidence["a/tiny.png"]
    for word in ("not square (600 × 300)", "coloured", "far from every other image"):
        assert word in evidence["a/shot.png"]
    assert "more than 8 bits (I;16)" in evidence["b/deep.png"]
    assert len(evidence) == 4
