"""Patients that file names name, where nothing else says whose an image is."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from tumorscope.records import Manifest

# Identifiers of public archives, and a word for a patient with a number behind it.
ARCHIVE = re.compile(
    r"TCGA[-_.]\w{2}[-_.][A-Z0-9]{4}(?![A-Z0-9])"
    r"|BraTS\w*?(?:[-_][A-Za-z]+)*[-_]\d{3,5}(?!\d)"
    r"|(?:UCSF-PDGM|UPENN-GBM|LGG|IXI|OAS)[-_]?\d{3,5}(?!\d)",
    re.IGNORECASE,
)
MARKED = re.compile(
    r"(?<![A-Za-z])(?:patient|subject|participant|case|volume)[-_. ]?(?:id)?[-_. ]?\d+"
    r"|(?<![A-Za-z])(?:sub|subj|pat)[-_]?\d+",
    re.IGNORECASE,
)
# What stands before the last number of a name and has a number of its own, as in 12_3 or A03-T1-12.
NUMBERED = re.compile(r"^(.*\d)(?=[-_ .])\D*\d+\D*$")
AUGMENTED = re.compile(r"aug|\.rf\.|copy", re.IGNORECASE)
FEWEST, COMMON, SLICES = 3, 0.8, 2  # patients, share of names that have one, images of each


def with_named_patients(manifest: Manifest, wanted: bool | None) -> Manifest:
    """Return a data set with the patients that its file names name.

    They are taken without being asked for where they are beyond doubt: names hold an archive's
    identifier, or a word such as patient, subject, case or volume with a number behind it, and most
    of these come with several images. Where the names of three patients or more could be told from
    the number of a slice, as in `12_3.png`, and none has images of two classes, a note asks.

    Args:
        manifest: the data set; where it has patients already, it stays as it is.
        wanted: take every name that can be read so, take none, or None for what is beyond doubt.
    """
    if wanted is False or any(row.patient_id for row in manifest.rows):
        return manifest
    named = _named(manifest, certain=True)
    if _are_patients(named):
        return _taken(manifest, named, "--no-name-patients takes them for nothing")
    numbered = _named(manifest, certain=False)
    if not _are_patients(numbered) or _common(numbered, manifest) < COMMON:
        return manifest
    if wanted:
        return _taken(manifest, numbered, "as --name-patients asks for")
    if _in_two_classes(numbered, manifest):
        return manifest
    return _noted(
        manifest,
        f"File names may hold patients: {_example(numbered)}. --name-patients takes them for such, "
        "so that their slices stay together.",
    )


def _named(manifest: Manifest, *, certain: bool) -> dict[str, str]:
    """Return the patient that each image's name names, where it does.

    Where most of these names occur in two classes, their numbers begin anew with each class:
    patients are then those of the class. An archive's identifier is one patient wherever it stands.
    """
    stems = {row.image: PurePosixPath(row.image).stem for row in manifest.rows}
    read = _certain if certain else _numbered
    found = {image: patient for image, stem in stems.items() if (patient := read(stem))}
    classes: dict[str, set[str]] = {}
    for row in manifest.rows:
        classes.setdefault(stems[row.image], set()).add(row.label)
    anew = sum(len(classes[stems[image]]) > 1 for image in found)
    if anew <= len(found) / 2:
        return found
    labels = {row.image: row.label for row in manifest.rows}
    return {
        image: patient if ARCHIVE.fullmatch(patient) else f"{labels[image]}/{patient}"
        for image, patient in found.items()
    }


def _certain(stem: str) -> str | None:
    found = ARCHIVE.search(stem) or MARKED.search(stem)
    return found[0] if found else None


def _numbered(stem: str) -> str | None:
    found = None if AUGMENTED.search(stem) else NUMBERED.match(stem)
    return found[1] if found else None


def _are_patients(named: Mapping[str, str]) -> bool:
    """Say whether names name several patients, most of them with several images."""
    counts = Counter(named.values())
    return len(counts) >= FEWEST and len(named) >= SLICES * len(counts)


def _common(named: Mapping[str, str], manifest: Manifest) -> float:
    return len(named) / len(manifest.rows)


def _in_two_classes(named: Mapping[str, str], manifest: Manifest) -> bool:
    label: dict[str, str] = {}
    return any(
        label.setdefault(named[row.image], row.label) != row.label
        for row in manifest.rows
        if row.image in named
    )


def _example(named: Mapping[str, str]) -> str:
    image, patient = next(iter(named.items()))
    count = len(set(named.values()))
    return f"{count} of them in {len(named)} images, such as {patient} in {image}"


def _taken(manifest: Manifest, named: Mapping[str, str], aside: str) -> Manifest:
    rows = tuple(replace(row, patient_id=named.get(row.image)) for row in manifest.rows)
    note = f"Patients are read from file names, {_example(named)}; {aside}."
    return _noted(replace(manifest, rows=rows), note)


def _noted(manifest: Manifest, note: str) -> Manifest:
    return replace(manifest, notes=(*manifest.notes, note))
