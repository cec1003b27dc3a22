"""Answers to series as DICOM objects, so that they can go back to where the images live.

A report (TID 1500, Comprehensive SR) says the class, its probability, the conformal set, and which
model said so; a secondary capture shows the slice that decided, since common viewers show no
reports. Both belong to the study and the patient of the images, in series of their own. Their UIDs
follow from the images and the model: the same answer is the same object.
"""

import hashlib
import warnings
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tumorscope.data.read.dicom import read_header
from tumorscope.data.scans.stacks import Stack
from tumorscope.errors import UnreadableImage
from tumorscope.inference.bundle import card_digest
from tumorscope.records import FoundBox, SeriesPrediction
from tumorscope.schema.card import Card
from tumorscope.support.extras import require_extra
from tumorscope.support.files import explained, replacing

MAKER = "tumorscope"
OWN = "99TUMORSCOPE"  # the scheme of codes that the standard has none for
REPORT_SERIES, PICTURE_SERIES = 9001, 9002  # numbers, which viewers sort by
FINDINGS = {
    "glioma": ("393564001", "Glioma"),
    "meningioma": ("302820008", "Intracranial meningioma"),
    "pituitary": ("127024001", "Neoplasm of pituitary gland"),
    "no_tumor": ("281900007", "No abnormality detected"),
}
# What highdicom demands of a source although the standard lets it be absent or empty.
DEMANDED = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate"),
    *("StudyTime", "AccessionNumber", "ReferringPhysicianName"),
)
SEXES = ("M", "F", "O")
PICTURE_SIDE = 512  # pixels, at least: so that what is written on it can be read
FRAME, INK = (255, 200, 0), (255, 255, 255)
NOT_FOR_USE = "Research use only, not a medical device"


def write_dicom_answer(
    folder: Path, stack: Stack, answer: SeriesPrediction, card: Card
) -> list[Path]:
    """Write the report and the picture of an answer to a DICOM series.

    Args:
        folder: where to write.
        stack: the series that was answered, of DICOM objects.
        answer: with a label.
        card: of the model.

    Returns:
        The report and the picture.

    Raises:
        MissingExtra: what writes them is not installed.
        UsageError: the folder cannot be written to.
        UnreadableImage: the objects are gone, or lack what a report must refer to.
    """
    require_extra("dicom", "Writing DICOM")
    sources = [_source(stack.root / file) for file in dict.fromkeys(stack.files)]
    shown = stack.files[answer.deciding[0]]
    source = sources[list(dict.fromkeys(stack.files)).index(shown)]
    identity = "/".join([card_digest(card), *(str(own.SOPInstanceUID) for own in sources)])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # highdicom's repeat the patient's name
            objects = [
                _report(sources, answer, card, identity),
                _picture(source, stack, answer, card, identity),
            ]
    except (AttributeError, ValueError, TypeError) as error:  # they may quote the header
        raise UnreadableImage(
            f"lacks what a report must refer to ({type(error).__name__})"
        ) from None
    with explained(folder, "with --dicom"):
        folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{stack.name}-{kind}.dcm" for kind in ("report", "picture")]
    for path, own in zip(paths, objects, strict=True):
        with replacing(path) as temporary:
            own.save_as(temporary, enforce_file_format=True)
        path.chmod(0o600)  # it names the patient
    return paths


def _source(path: Path) -> Any:
    """Return a header without pixels that has what highdicom demands, sharing nothing with it.

    Optional values that the standard does not allow are left out, others are emptied.
    """
    from pydicom import Dataset  # noqa: PLC0415 (an extra)

    header = read_header(path).header
    found = Dataset()
    found.update({own.tag: deepcopy(own) for own in header if _is_valid(own)})
    found.file_meta = header.file_meta
    for name in DEMANDED:
        if found.get(name) is None:
            setattr(found, name, "")
    if found.PatientSex not in SEXES:
        found.PatientSex = ""
    return found


def _is_valid(own: Any) -> bool:
    """Say whether an element of a header may be copied."""
    from pydicom.config import RAISE  # noqa: PLC0415 (an extra)
    from pydicom.valuerep import validate_value  # noqa: PLC0415

    if own.tag.is_private or own.VR == "SQ":
        return not own.tag.is_private
    try:
        for value in own.value if own.VM > 1 else [own.value]:
            validate_value(own.VR, value, RAISE)
    except ValueError:
        return False
    return True


def _uid(identity: str, what: str) -> str:
    """Return a UID that follows from what it identifies."""
    digest = hashlib.sha256(f"{what}\0{identity}".encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def _series(identity: str, kind: str, number: int, card: Card) -> dict[str, Any]:
    """Return what an object says of its series and of what made it."""
    return {
        "series_instance_uid": _uid(identity, f"{kind} series"),
        "sop_instance_uid": _uid(identity, kind),
        "series_number": number,
        "instance_number": 1,
        "manufacturer": MAKER,
        "manufacturer_model_name": _model_name(card),
        "device_serial_number": card_digest(card),
        "software_versions": card.provenance.tumorscope,
        "series_description": f"tumorscope {kind}: research use only",
        "specific_character_set": "ISO_IR 192",
    }


def _model_name(card: Card) -> str:
    return f"{MAKER} {card.recipe.name} on {card.provenance.data}"[:64]


def _code(number: int, card: Card) -> Any:
    """Return the code of a class: SNOMED's, or one of our own."""
    from pydicom.sr.coding import Code  # noqa: PLC0415 (an extra)

    known = FINDINGS.get(card.canonical[number] or "")
    if known:
        return Code(known[0], "SCT", known[1])
    return Code(f"class-{number}", OWN, card.classes[number][:64])


def _report(sources: Sequence[Any], answer: SeriesPrediction, card: Card, identity: str) -> Any:
    """Return the structured report."""
    from highdicom import sr  # noqa: PLC0415 (an extra)
    from highdicom.coding_schemes import CodingSchemeIdentificationItem  # noqa: PLC0415
    from pydicom.sr.codedict import codes  # noqa: PLC0415
    from pydicom.sr.coding import Code  # noqa: PLC0415

    unity = Code("1", "UCUM", "no units")
    answered = _code(card.classes.index(answer.label), card)
    digest = card_digest(card)
    measures = [
        sr.Measurement(codes.DCM.Probability, round(answer.probabilities[answer.label], 6), unity)
    ]
    if answer.set is not None:
        coverage = Code("set-coverage", OWN, "Nominal coverage of the conformal set")
        measures.append(sr.Measurement(coverage, 1 - card.calibration.error_rate, unity))
    group = sr.MeasurementsAndQualitativeEvaluations(
        sr.TrackingIdentifier(uid=_uid(identity, "answer"), identifier="series answer"),
        finding_type=answered,
        finding_sites=[sr.FindingSite(codes.SCT.Brain)],
        algorithm_id=sr.AlgorithmIdentification(
            _model_name(card),
            card.provenance.tumorscope,
            [f"sha256={digest}", NOT_FOR_USE],
            manufacturer=MAKER,
        ),
        measurements=measures,
        qualitative_evaluations=[
            sr.QualitativeEvaluation(Code("class", OWN, "Most probable class"), answered),
            *(
                sr.QualitativeEvaluation(
                    Code("set-member", OWN, "Member of the conformal set"),
                    _code(card.classes.index(label), card),
                )
                for label in answer.set or ()
            ),
        ],
        source_images=[sr.SourceImageForMeasurementGroup.from_source_image(s) for s in sources],
    )
    observer = sr.ObserverContext(
        codes.DCM.Device,
        sr.DeviceObserverIdentifyingAttributes(
            uid=_uid(digest, "model"),
            name=_model_name(card),
            manufacturer_name=MAKER,
            model_name=_model_name(card),
            serial_number=card.provenance.tumorscope,
        ),
    )
    content = sr.MeasurementReport(
        sr.ObservationContext(observer_device_context=observer),
        Code("24590-2", "LN", "MR Brain"),
        [group],
    )
    return sr.ComprehensiveSR(
        evidence=list(sources),
        content=content,
        is_complete=True,
        is_final=False,
        coding_schemes=[CodingSchemeIdentificationItem(OWN, name="Codes of tumorscope")],
        **_series(identity, "report", REPORT_SERIES, card),
    )


def _picture(
    source: Any,
    stack: Stack,
    answer: SeriesPrediction,
    card: Card,
    identity: str,
) -> Any:
    """Return the secondary capture of the first slice that decides."""
    import highdicom  # noqa: PLC0415 (an extra)
    from highdicom.sr import CodedConcept  # noqa: PLC0415
    from pydicom import Dataset  # noqa: PLC0415
    from pydicom.sr.codedict import codes  # noqa: PLC0415
    from pydicom.uid import ExplicitVRLittleEndian  # noqa: PLC0415

    number = answer.deciding[0]
    words = (
        f"{answer.label} {answer.probabilities[answer.label]:.1%}, "
        f"slice {number + 1} of {len(answer.slices)}"
    )
    found = highdicom.sc.SCImage.from_ref_dataset(
        source,
        _drawn(stack.read(number).pixels, words, answer.box),
        "RGB",
        8,
        "PATIENT",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        patient_orientation=("L", "P"),  # highdicom insists; what it is follows below
        **_series(identity, "picture", PICTURE_SERIES, card),
    )
    found.copy_patient_and_study_information(source)
    found.PatientOrientation = _orientation(stack.plane)
    found.BodyPartExamined = source.get("BodyPartExamined") or "BRAIN"
    found.DerivationDescription = f"Deciding slice, by {_model_name(card)}; {NOT_FOR_USE}"
    found.BurnedInAnnotation = "NO"  # none that would name the patient
    origin = Dataset()
    origin.ReferencedSOPClassUID = source.SOPClassUID
    origin.ReferencedSOPInstanceUID = source.SOPInstanceUID
    purpose = codes.DCM.SourceImageForImageProcessingOperation
    origin.PurposeOfReferenceCodeSequence = [CodedConcept.from_code(purpose)]
    found.SourceImageSequence = [origin]
    return found


def _drawn(pixels: np.ndarray, words: str, box: FoundBox | None) -> np.ndarray:
    """Return a slice in colour, large enough to be read, with its box and its answer below it."""
    picture = Image.fromarray(np.rint(pixels).astype(np.uint8)).convert("RGB")
    times = max(1, -(-PICTURE_SIDE // max(picture.size)))
    picture = picture.resize((picture.width * times, picture.height * times))
    draw = ImageDraw.Draw(picture)
    if box is not None:
        wide, high = box.width * picture.width / 2, box.height * picture.height / 2
        x, y = box.x_center * picture.width, box.y_center * picture.height
        draw.rectangle((x - wide, y - high, x + wide, y + high), outline=FRAME, width=2)
    whole = Image.new("RGB", (picture.width, picture.height + 48))
    whole.paste(picture)
    font = ImageFont.load_default(16)
    for line, text in enumerate((words, NOT_FOR_USE)):
        ImageDraw.Draw(whole).text((8, picture.height + 3 + 21 * line), text, INK, font)
    return np.asarray(whole)


def _orientation(plane: str) -> list[str]:
    """Return where the columns and the rows of an upright picture lead to, for DICOM."""
    return {"axial": ["L", "P"], "coronal": ["L", "F"], "sagittal": ["P", "F"]}.get(plane, [])
