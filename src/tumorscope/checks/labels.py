"""TS005: one image under two labels, boxes and folders that disagree, label files alone."""

from collections import Counter, defaultdict
from pathlib import PurePosixPath

from tumorscope.checks.base import Check, Finding, found, passed
from tumorscope.data.layouts.boxes import count_unmarked
from tumorscope.grouping.survey import Survey
from tumorscope.support.text import plural

WHOLE = 0.98  # a box with both sides this long marks nothing


class LabelConflicts(Check):
    """Finds labels that contradict each other."""

    code, title, severity = "TS005", "Label conflicts", "error"

    def run(self, survey: Survey) -> Finding:
        """Compare copies' labels, patients' labels, and boxes with folders."""
        cases = [*_copies(survey), *_patients(survey), *_boxes(survey), *_label_files(survey)]
        if not cases:
            return passed(self, "No label contradicts another.")
        images = [row for row, *_ in cases if row >= 0]
        return found(
            self,
            f"{plural(len(cases), 'label')} in doubt{_unmarked(survey)}.",
            "Check each and correct the label, or leave the image out.",
            ("image", "label", "conflict"),
            [(image, label, text) for _, image, label, text in cases],
            images,
        )


def _unmarked(survey: Survey) -> str:
    """Say how many images have no label file, or an empty one."""
    reasons = survey.store.manifest.unmarked
    return f", {count_unmarked(reasons.values())}" if reasons else ""


Case = tuple[int, str, str, str]


def _copies(survey: Survey) -> list[Case]:
    members: dict[int, list[int]] = defaultdict(list)
    for number, group in enumerate(survey.same_image.tolist()):
        members[group].append(number)
    rows = survey.rows
    cases = []
    for group in members.values():
        labels = {rows[n].label for n in group}
        if len(labels) > 1:
            text = f"one image under {', '.join(sorted(labels))}"
            cases += [(n, rows[n].image, rows[n].label, text) for n in group]
    return cases


def _patients(survey: Survey) -> list[Case]:
    labels: dict[str, set[str]] = defaultdict(set)
    for row in survey.rows:
        if row.patient_id:
            labels[row.patient_id].add(row.label)
    mixed = {patient for patient, found_labels in labels.items() if len(found_labels) > 1}
    return [
        (n, row.image, row.label, f"patient {row.patient_id} has several labels")
        for n, row in enumerate(survey.rows)
        if row.patient_id in mixed
    ]


def _boxes(survey: Survey) -> list[Case]:
    """Boxes of another class than the folder's majority, or around the whole image."""
    ids: dict[str, Counter[int]] = defaultdict(Counter)
    for row in survey.rows:
        ids[row.label].update(b.class_id for b in row.boxes if b.class_id is not None)
    usual = {label: counts.most_common(1)[0][0] for label, counts in ids.items() if counts}
    cases = []
    for n, row in enumerate(survey.rows):
        for box in row.boxes:
            if box.class_id is not None and box.class_id != usual[row.label]:
                text = f"box of class {box.class_id}, the folder's is {usual[row.label]}"
                cases.append((n, row.image, row.label, text))
            if box.width >= WHOLE and box.height >= WHOLE:
                cases.append((n, row.image, row.label, "box around the whole image"))
    return cases


def _label_files(survey: Survey) -> list[Case]:
    """Images without a label file among images with one, empty files, files without an image."""
    root = survey.store.manifest.root
    folders = {PurePosixPath(row.image).parent for row in survey.rows}
    boxed = [f for f in folders if f.name == "images" and (root / f.parent / "labels").is_dir()]
    stems: dict[PurePosixPath, set[str]] = {folder: set() for folder in boxed}
    for path in (PurePosixPath(row.image) for row in survey.rows):
        if path.parent in stems:
            stems[path.parent].add(path.stem)
    reasons = survey.store.manifest.unmarked
    cases: list[Case] = [
        (n, row.image, row.label, reasons[row.image])
        for n, row in enumerate(survey.rows)
        if row.image in reasons
    ]
    for folder, images in sorted(stems.items()):
        files = {p.stem: p for p in (root / folder.parent / "labels").glob("*.txt")}
        lone = sorted(set(files) - images)
        cases += [
            (-1, files[s].relative_to(root).as_posix(), folder.parent.name, "label file alone")
            for s in lone
        ]
    return cases
