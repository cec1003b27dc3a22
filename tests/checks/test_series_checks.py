"""TS012 to TS015: what the headers of a scanner's files, and the pixels, give away."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.checks.conftest import DataFolder
from tests.scans import write_series
from tumorscope.checks.base import Finding
from tumorscope.checks.identifiers import BurntText, Identifiers
from tumorscope.checks.series import Scanners, WholeSeries
from tumorscope.data.phantom import Head
from tumorscope.data.read.dicom import read_header
from tumorscope.data.scans.burnt import text_regions


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Finding]:
    """What the checks say of a cohort where each class has a scanner and one series has a gap."""
    root = tmp_path_factory.mktemp("scanned")
    for number, label in enumerate(("glioma", "meningioma") * 4):
        maker = "SIEMENS" if label == "glioma" else "GE MEDICAL SYSTEMS"
        write_series(
            root / label / f"p{number}",
            "glioma" if label == "glioma" else "meningioma",
            number,
            Manufacturer=maker,
            MagneticFieldStrength=1.5 if label == "glioma" else 30000,
        )
    (gap,) = [path for path in (root / "glioma" / "p0").iterdir() if _position(path) == 25]
    gap.unlink()
    write_series(root / "glioma" / "p2", "glioma", 2)
    survey = DataFolder(root).survey()
    checks = (WholeSeries(), Scanners(), BurntText(), Identifiers())
    return {check.code: check.run(survey) for check in checks}


def _position(path: Path) -> float:
    geometry = read_header(path).geometry(0)
    return -1 if geometry is None else geometry.position[2]


def test_series_with_gaps_and_mixed_folders_are_named(findings: dict[str, Finding]) -> None:
    odd = {row[1]: row[3] for row in findings["TS012"].evidence}
    assert odd == {"glioma/p0": "1 slice missing", "glioma/p2": "one of 2 series in its folder"}


def test_a_scanner_that_tells_the_class_is_a_shortcut(findings: dict[str, Finding]) -> None:
    found = findings["TS013"]
    assert found.status == "found"
    scanners = {row[0].split(" scanner-")[0]: row[1:] for row in found.evidence}
    assert scanners["Siemens"] == ("17", "0")
    assert scanners["GE"] == ("0", "16")
    assert scanners["unknown"] == ("4", "0")
    assert any(row[0].endswith(", 3 T") for row in found.evidence)  # written in gauss


def test_headers_that_say_whose_they_are_are_counted(findings: dict[str, Finding]) -> None:
    assert findings["TS015"].status == "found"
    assert findings["TS015"].evidence[0][2] == "4"  # name, number, birth date, accession
    assert findings["TS014"].status == "passed"


def test_a_set_of_pictures_has_no_headers(folder: DataFolder) -> None:
    survey = folder.survey()
    for check in (WholeSeries(), Scanners(), Identifiers()):
        assert check.run(survey).status == "not applicable"


@pytest.mark.parametrize("size", [10, 12, 14])
def test_burnt_in_text_is_found_by_its_pixels(folder: DataFolder, size: int) -> None:
    """Text in a corner is found, with where; heads alone have none."""
    pixels = np.asarray(Head("glioma", 3).slice(0).pixels, np.uint8)
    assert not text_regions(pixels)
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    draw.text((3, 2), "PETRA MUSTER", fill=255, font=ImageFont.load_default(size))
    (region, *_) = text_regions(np.asarray(picture))
    assert region.top <= 2 + size
    assert region.left < 40
    folder.put("a", "named.png", picture)
    found = BurntText().run(folder.survey())
    assert [row[0] for row in found.evidence] == ["a/named.png"]
