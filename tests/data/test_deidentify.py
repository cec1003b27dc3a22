"""De-identified images: nothing of what was planted, and still the series that it was."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from tests.conftest import Command
from tests.scans import ANYTHING, made, write_series, written
from tumorscope.data.phantom import Head
from tumorscope.data.read import read_image
from tumorscope.data.read.dicom import read_header
from tumorscope.data.scans.pseudonyms import pseudonym
from tumorscope.data.scans.series import group_objects

NAMED = "Mustermann"
PLANTED = {
    "LO": NAMED,
    "SH": NAMED,
    "ST": f"seen by {NAMED}",
    "LT": NAMED,
    "UT": NAMED,
    "PN": f"{NAMED}^Petra",
    "UC": NAMED,
    "UR": f"http://{NAMED}.example",
    "AE": NAMED,
    "CS": NAMED.upper(),
    "DA": "19561103",
    "DT": "19561103101112",
}
NOT_PLANTED = {"Modality", "PhotometricInterpretation", "SpecificCharacterSet", "ImageType"}


def spoiled(pixels: Any) -> tuple[Dataset, int]:
    """Return an image with a secret in every element of text there is, at two depths."""
    own, inner, count = made(pixels, StudyInstanceUID=generate_uid()), Dataset(), 0
    for tag, (kind, _, _, retired, keyword) in sorted(DicomDictionary.items()):
        group = tag >> 16
        if not keyword or retired or keyword in NOT_PLANTED or group in (0, 2, 4, 0x28):
            continue
        if kind in PLANTED and keyword not in own:
            own.add(DataElement(tag, kind, PLANTED[kind], **ANYTHING))
            inner.add(DataElement(tag, kind, PLANTED[kind], **ANYTHING))
            count += 2
    inner.ReferencedSOPInstanceUID = own.SOPInstanceUID
    inner.SOPClassUID = own.SOPClassUID
    own.SourceImageSequence = [inner]
    own.ReferencedStudySequence = [inner]
    own.add_new(0x00090010, "LO", NAMED)
    own.add_new(0x00091001, "LO", NAMED)
    own.add_new(0x60000010, "US", 8)
    own.add_new(0x60001500, "LO", NAMED)
    own.file_meta.SourceApplicationEntityTitle = NAMED
    return own, count


def test_what_was_planted_is_nowhere(tmp_path: Path, command: Command) -> None:
    """In thousands of elements, the private ones, the overlays and the file's own header."""
    pixels = np.asarray(Head("glioma", 1).slice(5).pixels, np.uint16) * 12
    own, count = spoiled(pixels)
    assert count > 2000
    (tmp_path / "in").mkdir()
    content = bytearray(written(own))
    content[:10] = NAMED.encode()
    (tmp_path / "in" / "x.dcm").write_bytes(content)
    for dates in ("shift", "remove"):
        done = command("deidentify", "in", dates, "--dates", dates, "--descriptions")
        assert done.returncode == 0, done.stderr
        (path,) = (tmp_path / dates).rglob("*.dcm")
        files = [p for p in (tmp_path / dates).rglob("*") if p.is_file()]
        for secret in (NAMED, NAMED.upper(), "Petra", "19561103", own.SOPInstanceUID):
            assert not [p for p in files if secret.encode() in p.read_bytes()], secret
            assert secret not in done.stdout + done.stderr
        new = pydicom.dcmread(path)
        assert new.SourceImageSequence[0].ReferencedSOPInstanceUID == new.SOPInstanceUID
        assert new.file_meta.MediaStorageSOPInstanceUID == new.SOPInstanceUID
        assert new.SOPClassUID == own.SOPClassUID
        assert np.array_equal(new.pixel_array, pixels)
        assert new.PatientIdentityRemoved == "YES"
    assert (tmp_path / "in" / "x.dcm").read_bytes() == bytes(content)
    again = command("deidentify", "in", "shift")
    assert again.returncode == 2
    assert "nothing is ever overwritten" in again.stderr


def test_a_series_stays_one_and_dates_move_together(tmp_path: Path, command: Command) -> None:
    """Same series, same order, same patient; the days between two studies stay."""
    for visit, day in (("a", "20200103"), ("b", "20200110")):
        write_series(tmp_path / "in" / visit, "glioma", 3, StudyDate=day, PatientAge="063Y")
    done = command("deidentify", "in", "out", "--json")
    assert done.returncode == 0, done.stderr
    paths = sorted((tmp_path / "out").rglob("*.dcm"))
    series = group_objects([(str(p.relative_to(tmp_path / "out")), read_header(p)) for p in paths])
    assert [[frame.place for frame in own.frames] for own in series] == [
        [5.0 * n for n in range(12)]
    ] * 2
    assert {own.patient for own in series} == {pseudonym("patient", "Muster-3")}
    days = sorted({int(pydicom.dcmread(p).StudyDate) for p in paths})
    assert len(days) == 2
    assert np.diff([np.datetime64(f"{str(d)[:4]}-{str(d)[4:6]}-{str(d)[6:]}") for d in days]) == [7]
    assert days[1] < 20200103
    originals = {tuple(read_image(p).pixels.ravel()) for p in (tmp_path / "in").rglob("IM*")}
    assert {tuple(read_image(p).pixels.ravel()) for p in paths} == originals
    assert "PatientAge" not in pydicom.dcmread(paths[0])


def test_short_names_and_numbers_are_searched_for(tmp_path: Path, command: Command) -> None:
    """Two letters, alone; a number in another element; and nothing that only looks alike."""
    own = made(
        np.asarray(Head("glioma", 1).slice(5).pixels, np.uint16),
        StudyInstanceUID=generate_uid(),
        PatientName="Li^Mono",
        PatientID="12345678",
        ScanOptions=["FS", "LI"],
        SeriesNumber="12345678",
        InstanceNumber=7,
        OtherPatientIDs="1000",
        InstitutionName="MR Center",
    )
    inner = Dataset()
    inner.SOPInstanceUID, inner.PatientName = own.SOPInstanceUID, "Siemens"
    own.OriginalAttributesSequence = [inner]
    own.SourceImageSequence = [inner]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.dcm").write_bytes(written(own))
    done = command("deidentify", "in", "out")
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "out").rglob("*.dcm")
    new = pydicom.dcmread(path)
    assert new.ScanOptions == "FS"
    assert new.Modality == "MR"
    assert not new.SourceImageSequence[0].PatientName
    assert new.get("SeriesNumber") is None
    assert new.InstanceNumber == 7
    assert (new.SOPClassUID, new.PhotometricInterpretation) == (own.SOPClassUID, "MONOCHROME2")
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(written(own)[:-900])
    assert command("deidentify", cut, "x", "--text-is-fine").returncode == 2


def test_text_in_the_pixels_is_refused_or_blanked(tmp_path: Path, command: Command) -> None:
    """The image is not taken unless its text is blanked, or said to be fine."""
    picture = Image.fromarray(np.asarray(Head("glioma", 1).slice(5).pixels, np.uint8))
    font = ImageFont.load_default(12)
    ImageDraw.Draw(picture).text((3, 2), "PETRA MUSTER 1956", fill=255, font=font)
    (tmp_path / "in").mkdir()
    own = made(np.asarray(picture, np.uint16) * 12, StudyInstanceUID=generate_uid())
    (tmp_path / "in" / "x.dcm").write_bytes(written(own))
    refused = command("deidentify", "in", "out")
    assert refused.returncode == 2
    assert "text in its pixels" in refused.stderr
    blanked = command("deidentify", "in", "blanked", "--blank", "0,0,160,20")
    assert blanked.returncode == 0, blanked.stderr
    (path,) = (tmp_path / "blanked").rglob("*.dcm")
    pixels = pydicom.dcmread(path).pixel_array
    assert pixels[:20].max() == pixels.min()
    assert np.array_equal(pixels[20:], own.pixel_array[20:])
    assert command("deidentify", "in", "taken", "--text-is-fine").returncode == 0
    elsewhere = command("deidentify", "in", "elsewhere", "--blank", "0,100,10,110")
    assert "text in its pixels" in elsewhere.stderr  # what is left is still looked at
    outside = command("deidentify", "in", "outside", "--blank", "600,600,700,700")
    assert "lies outside" in outside.stderr
    assert command("deidentify", "in", "x", "--blank", "0,0,a,2").returncode == 2


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="Debian's dicom3tools is missing")
def test_real_objects_are_as_valid_as_before(
    real_data: Path, tmp_path: Path, command: Command
) -> None:
    """A validator of the standard finds no kind of error that the scanner's file did not have."""
    for kind in ("t1_series", "enhanced_multiframe", "ge_single_slice", "jpeg_lossless"):
        source = sorted((real_data / "dicom" / kind).iterdir())[0]
        done = command("deidentify", source, kind, "--text-is-fine")
        assert done.returncode == 0, done.stderr
        (path,) = (tmp_path / kind).rglob("*.dcm")
        new, before = errors(path), errors(source)
        assert new <= before, (kind, new - before)


def errors(path: Path) -> set[str]:
    """Return what a validator calls errors, without values and places."""
    said = subprocess.run(["dciodvfy", path], capture_output=True, check=False).stderr
    lines = said.decode("latin-1").splitlines()
    return {line.split(" - <")[0].split("= <")[0] for line in lines if line.startswith("Error")}
