"""DICOM images without what says whose they are.

Each element is treated as the profile says, at every depth; UIDs are mapped wherever they stand. At
last no value may hold a word of the patient's name, numbers or hospital.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from tumorscope.data.read.dicom import MAKERS, MODALITIES, DicomObject, open_dicom
from tumorscope.data.read.image import read_bytes
from tumorscope.data.read.intensity import normalise
from tumorscope.data.scans.burnt import text_regions
from tumorscope.data.scans.profile import (
    BYTES,
    NUMBERS,
    PLAIN_WORDS,
    DeidentifyOptions,
    Region,
    Rule,
    rule_of,
)
from tumorscope.data.scans.pseudonyms import mapped_uid, number_of, pseudonym
from tumorscope.errors import UnreadableImage

REMOVED = "removed"  # stands for text that must not be empty
NO_TIME = {"DA": "19000101", "DT": "19000101000000", "TM": "000000"}
MOST_DAYS = 3650  # by which dates are moved back
# Words of a hospital's or patient's name that say nothing where they stand elsewhere.
HARMLESS = {
    *("HEAD", "BRAIN", "SKULL", "ORIGINAL", "PRIMARY", "DERIVED", "SECONDARY", "NONE", "OTHER"),
    *(maker.upper() for maker in MAKERS),
}
NAMING = {
    *("PatientID", "OtherPatientIDs", "PatientBirthDate", "PatientAddress", "AccessionNumber"),
    *("InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName", "StationName"),
    *("DeviceSerialNumber", "PatientTelephoneNumbers", "IssuerOfPatientID"),
    "PatientMotherBirthName",
}
SHORTEST, LONG = 2, 6  # letters of a word that is looked for; and anywhere, within others too
LONG_NUMBER = 5  # digits, which stand for nobody by chance
PSEUDONYMS = ("PatientName", "PatientID")
KNOWN_SCHEMES = {"SCT", "SRT", "SNM3", "99SDM", "DCM", "UCUM", "LN", "RADLEX"}
METHODS = {
    "113100": "Basic Application Confidentiality Profile",
    "113101": "Clean Pixel Data Option",
    "113105": "Clean Descriptors Option",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113111": "Retain Safe Private Option",
}
DONE: dict[Rule, str] = {
    "remove": "removed",
    "empty": "emptied",
    "replace": "replaced",
    "shift": "shifted",
    "map": "mapped",
    "clean": "cleaned",
    "maker": "cleaned",
    "code": "replaced",
}


@dataclass
class Deidentifier:
    """De-identifies objects, and counts what became of each kind of element.

    Attributes:
        options: how.
        actions: how many elements of each name came to what.
    """

    options: DeidentifyOptions
    actions: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __call__(self, path: Path) -> Any:
        """Return the object of a file without what says whose it is, to be saved.

        Raises:
            UnreadableImage: no image, damaged, or one that seems to have text in its pixels.
        """
        found = open_dicom(read_bytes(path))
        own = found.header
        if not any(name in own for name in ("PixelData", "FloatPixelData")):
            raise UnreadableImage("no image: reports and documents are not de-identified")
        try:
            self._check_pixels(found)
        except (ValueError, TypeError, AttributeError, KeyError, RuntimeError) as error:
            raise UnreadableImage(f"damaged pixels ({type(error).__name__})") from None
        words = set(_naming_words(own))
        patient = found.patient
        try:
            self._clean(own, number_of("days", patient) % MOST_DAYS + 1, top=True)
            self._sweep(own, words)
            self._sign(own, patient)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise UnreadableImage(f"damaged header ({type(error).__name__})") from None
        return own

    def _check_pixels(self, found: DicomObject) -> None:
        """Blank what is to be blanked, and refuse text in what is left."""
        frames = sorted({0, found.frames // 2, found.frames - 1})
        for frame in frames:
            found.levels(frame)  # a truncated file is no image
        if self.options.blank:
            _blank(found, self.options.blank)
        if self.options.text_is_fine:
            return
        said = str(found.header.get("BurnedInAnnotation") or "").upper() == "YES"
        if (said and not self.options.blank) or any(_has_text(found, n) for n in frames):
            raise UnreadableImage(
                "seems to have text in its pixels: blank it with --blank LEFT,TOP,RIGHT,BOTTOM, or "
                "say with --text-is-fine that it identifies nobody"
            )

    def _clean(self, own: Any, days: int, *, top: bool = False) -> None:
        """Treat all elements as the profile says, at every depth."""
        for element in list(own):
            if top and element.keyword in PSEUDONYMS:
                continue  # `_sign` sets them
            rule = rule_of(element, self.options)
            if rule == "descend":
                for item in element.value:
                    self._clean(item, days)
            elif rule != "keep" and _treat(own, element, rule, days):
                name = element.keyword or ("private" if element.tag.is_private else "unknown")
                self.actions[name, DONE[rule]] += 1

    def _sweep(self, own: Any, words: set[str]) -> None:
        """Empty every value that still holds a word of those that say whose it is."""
        for element in own.iterall():
            tag, kind = element.tag, element.VR
            if kind in ("SQ", "UI", *BYTES) or tag.is_private or tag.group in (0x0028, 0x7FE0):
                continue
            if element.keyword == "SpecificCharacterSet" or _is_modality(element):
                continue
            values = element.value if element.VM > 1 else [element.value]
            kept = [value for value in values if not _names(str(value).upper(), kind, words)]
            if len(kept) < len(values):
                element.value = kept if len(kept) > 1 else (kept or [""])[0]
                self.actions[element.keyword, "emptied: named the patient"] += 1

    def _sign(self, own: Any, patient: str) -> None:
        """Name the patient anew, and say how the object was de-identified."""
        from pydicom.dataset import Dataset, FileMetaDataset  # noqa: PLC0415 (an extra)

        own.PatientName = own.PatientID = pseudonym("patient", patient) if patient else ""
        for name in PSEUDONYMS:
            self.actions[name, "replaced by a pseudonym"] += 1
        own.PatientIdentityRemoved = "YES"
        own.DeidentificationMethod = "tumorscope: PS3.15 Basic Profile with options"
        codes = ["113100"]
        codes += ["113101"] * bool(self.options.blank) + ["113105"] * self.options.descriptions
        codes += ["113107"] * (self.options.dates == "shift") + ["113111"]
        items = []
        for code in codes:
            item = Dataset()
            item.CodeValue, item.CodingSchemeDesignator = code, "DCM"
            item.CodeMeaning = METHODS[code]
            items.append(item)
        own.DeidentificationMethodCodeSequence = items
        shifted = self.options.dates == "shift"
        own.LongitudinalTemporalInformationModified = "MODIFIED" if shifted else "REMOVED"
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = own.file_meta.TransferSyntaxUID
        meta.MediaStorageSOPClassUID = own.SOPClassUID
        meta.MediaStorageSOPInstanceUID = own.SOPInstanceUID
        own.file_meta, own.preamble = meta, bytes(128)


def _naming_words(own: Any) -> Iterator[str]:
    """Yield the words of a header that say whose it is."""
    for element in own.iterall():
        if element.VR == "PN" or element.keyword in NAMING:
            for word in re.split(r"[\W_]+", str(element.value).upper()):
                if len(word) >= SHORTEST and word not in HARMLESS:
                    yield word


def _is_modality(element: Any) -> bool:
    """Say whether an element names a modality, whose two letters may stand in a hospital's name."""
    return element.keyword == "Modality" and str(element.value) in MODALITIES


def _names(said: str, kind: str, words: set[str]) -> bool:
    """Say whether a value holds one of some words: alone, or within others if it is long."""
    if kind in NUMBERS:
        return len(said) >= LONG_NUMBER and said in words
    alone = set(re.split(r"[\W_]+", said)) & words
    return bool(alone) or any(word in said for word in words if len(word) >= LONG)


def _has_text(found: DicomObject, frame: int) -> bool:
    levels = found.levels(frame)
    grey = levels if levels.ndim == 2 else levels.max(axis=2)
    return bool(text_regions(normalise(grey)))


def _blank(found: DicomObject, regions: Sequence[Region]) -> None:
    """Blank rectangles of all frames, as stored; the pixels are uncompressed after that.

    Raises:
        UnreadableImage: the image is in colour, or a rectangle lies outside of it.
    """
    own = found.header
    if int(own.get("SamplesPerPixel") or 1) > 1:
        raise UnreadableImage("in colour, which is not blanked")
    if own.file_meta.TransferSyntaxUID.is_compressed:
        own.decompress(generate_instance_uid=False)
    pixels = np.array(own.pixel_array)
    frames = pixels if pixels.ndim == 3 else pixels[None]
    high, wide = frames.shape[1:]
    for left, top, right, bottom in regions:
        if left >= wide or top >= high:
            raise UnreadableImage(f"{wide} × {high} pixels, so that a --blank lies outside of it")
        frames[:, top:bottom, left:right] = pixels.min()
    own.PixelData = pixels.tobytes()


def _treat(own: Any, element: Any, rule: Rule, days: int) -> bool:
    """Treat one element and say whether that changed anything."""
    if rule == "remove":
        del own[element.tag]
        return True
    before = element.value
    if rule == "empty":
        element.value = ""
    elif rule == "replace":
        element.value = _stand_in(element)
    elif rule == "clean":
        element.value = " ".join(PLAIN_WORDS.findall(str(element.value)))
    elif rule == "maker":
        said = str(element.value).upper()
        element.value = next((maker for maker in MAKERS if maker.upper() in said), "")
    elif rule == "code":
        element.value = _code(own, element)
    else:
        _each(element, mapped_uid if rule == "map" else lambda text: _moved(text, days))
    return bool(element.value != before)


def _stand_in(element: Any) -> Any:
    """Return a value that says nothing; what is empty, or a short number, says nothing already."""
    said = str(element.value or "")
    if not said or (said.isdigit() and len(said) < 4):
        return element.value
    if element.VR in NUMBERS:
        return 0
    return {**NO_TIME, "CS": "NONE"}.get(element.VR, REMOVED)


def _each(element: Any, change: Callable[[str], str]) -> None:
    """Change each value of an element."""
    values = element.value if element.VM > 1 else [element.value]
    new = [change(str(value)) if value else "" for value in values]
    element.value = new if element.VM > 1 else new[0]


def _moved(text: str, days: int) -> str:
    """Move a date back; what is none is emptied."""
    try:
        own = date(int(text[:4]), int(text[4:6]), int(text[6:8])) - timedelta(days)
    except (ValueError, OverflowError):
        return ""
    return f"{own:%Y%m%d}{text[8:]}"


def _code(own: Any, element: Any) -> str:
    """Return a part of a code: of a known scheme as it is, but for its meaning, which is free."""
    scheme = str(own.get("CodingSchemeDesignator") or "")
    if element.keyword == "CodingSchemeDesignator":
        return scheme if scheme in KNOWN_SCHEMES else "99REMOVED"
    if element.keyword == "CodeMeaning":
        return "see code"
    return str(element.value) if scheme in KNOWN_SCHEMES else REMOVED
