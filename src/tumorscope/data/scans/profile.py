"""What becomes of each element of a DICOM header, by the Basic Profile of PS3.15, Annex E.

The profile's table comes with `dicom-anonymizer`. What it does not list is judged by its kind: free
text is replaced, numbers and codes are kept.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

Dates = Literal["shift", "remove"]
Region = tuple[int, int, int, int]
Rule = Literal[
    "keep", "remove", "empty", "replace", "shift", "map", "clean", "maker", "code", "descend"
]

TEXT = {"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"}
BYTES = {"OB", "OD", "OF", "OL", "OV", "OW", "UN"}
NUMBERS = {"DS", "FD", "FL", "IS", "SL", "SS", "UL", "US"}
TIMES = {"DA", "DT", "TM"}
ACTIONS = ("D", "Z", "X", "U", "ZD", "XZ", "XD", "XZD")
CODED = {"CodeValue", "LongCodeValue", "CodeMeaning", "CodingSchemeDesignator"}
# Private elements that hold numbers alone, of the standard's list of safe ones, by their creator.
SAFE_PRIVATE = {
    "SIEMENS MR HEADER": (0x0A, 0x0B, 0x0C, 0x0E, 0x0F, 0x27, 0x28),
    "GEMS_ACQU_01": (0xBB, 0xBC, 0xBD),
    "GEMS_PARM_01": (0x39,),
    "Philips Imaging DD 001": (0x03,),
}
DESCRIPTIONS = {
    *("SeriesDescription", "StudyDescription", "ProtocolName", "AcquisitionProtocolName"),
}
# What is left of a description when it is cleaned.
PLAIN_WORDS = re.compile(
    r"\b(T1|T2|T1W|T2W|PD|FLAIR|DWI|ADC|SWI|TOF|MPRAGE|SPGR|BRAVO|SPACE|TSE|FSE|SE|GRE|TFE|FFE|EPI|"
    r"STIR|DIXON|AX|AXIAL|TRA|TRANSVERSE|SAG|SAGITTAL|COR|CORONAL|PRE|POST|GD|GAD|CE|CONTRAST|3D|2D|"
    r"HEAD|BRAIN|FS|FATSAT|MR|MRI)\b",
    re.I,
)


@dataclass(frozen=True)
class DeidentifyOptions:
    """How images are de-identified.

    Attributes:
        dates: `shift`, by as many days for all of a patient; `remove`, as the bare profile does.
        descriptions: whether descriptions of series and studies keep their plain words, such as
            `T1` and `AXIAL`; they are removed otherwise.
        blank: rectangles of pixels that are blanked, from left, top, right, bottom.
        text_is_fine: whether images that seem to have text in their pixels are taken as they are.
    """

    dates: Dates = "shift"
    descriptions: bool = False
    blank: tuple[Region, ...] = ()
    text_is_fine: bool = False


def rule_of(element: Any, options: DeidentifyOptions) -> Rule:
    """Return what becomes of an element, at whatever depth it stands.

    Args:
        element: pydicom's.
        options: how images are de-identified.
    """
    tag, kind, name = element.tag, element.VR, element.keyword
    if tag.is_private:
        return "keep" if _is_safe_private(element) else "remove"
    if tag.group in (0x7FE0, 0x5400) or (tag.group == 0x0028 and kind not in TEXT):
        return "keep"
    action = _table().get((tag.group, tag.element), "")
    if kind in TIMES:
        return _rule_of_time(element, action, options)
    if action == "X" or tag.group & 0xFF00 in (0x5000, 0x6000):  # curves and overlays
        return "clean" if name in DESCRIPTIONS and options.descriptions else "remove"
    if name in DESCRIPTIONS and options.descriptions:
        return "clean"
    return _rule_of_kind(name, kind, action)


def _rule_of_time(element: Any, action: str, options: DeidentifyOptions) -> Rule:
    """Return what becomes of a date or a time; a birthday is never shifted."""
    if options.dates == "shift" and "Birth" not in element.keyword:
        return "keep" if element.VR == "TM" else "shift"
    if action == "X":
        return "remove"
    return "replace" if "D" in action else "empty"


def _rule_of_kind(name: str, kind: str, action: str) -> Rule:
    rules: dict[str, Rule] = {"SQ": "descend", "UI": "map", **dict.fromkeys(BYTES, "remove")}
    if name in CODED:
        return "code"
    if name == "Manufacturer":
        return "maker"
    if kind in rules:
        return rules[kind]
    if action:
        return "replace" if "D" in action else "empty"
    if kind in TEXT:  # which some modules demand
        return "empty" if kind == "PN" else "replace"
    return "keep"


def _is_safe_private(element: Any) -> bool:
    """Say whether a private element, or the name of its block's creator, may stay."""
    if element.tag.is_private_creator:
        return str(element.value).strip() in SAFE_PRIVATE
    known = SAFE_PRIVATE.get(str(element.private_creator or "").strip(), ())
    return element.tag.element & 0xFF in known and element.VR in NUMBERS


@lru_cache(maxsize=1)
def _table() -> dict[tuple[int, int], str]:
    """Return the action of each element of the profile's table, such as `X` and `ZD`."""
    from dicomanonymizer.dicom_anonymization_databases import (  # noqa: PLC0415 (an extra)
        dicomfields_2026c as table,
    )

    lists = {action: "_".join(action) + "_TAGS" for action in ACTIONS}
    return {
        (tag[0], tag[1]): action
        for action, name in lists.items()
        for tag in getattr(table, name)
        if len(tag) == 2
    }
