"""The documented schema of `audit.json`, and how it is filled."""

from collections import Counter
from collections.abc import Sequence
from math import prod

from tumorscope.checks.base import Finding
from tumorscope.checks.control_scores import control_scores
from tumorscope.data.store import KINDS, Store
from tumorscope.grouping.leaks import find_leaks
from tumorscope.grouping.survey import Survey
from tumorscope.schema.audit import (
    Audit,
    ControlNumbers,
    FindingNumbers,
    ImageNumbers,
    LeakNumbers,
    LineageNumbers,
    LookUpNumbers,
    MajorityNumbers,
)
from tumorscope.support.files import shown_name


def summarize_audit(survey: Survey, findings: Sequence[Finding], groups: int) -> Audit:
    """Return the numbers of an audit."""
    manifest = survey.store.manifest
    scores = control_scores(survey)
    return Audit(
        data=shown_name(manifest.root.resolve().name),
        layout=manifest.layout,
        classes={
            name: int((survey.labels == number).sum()) for number, name in enumerate(survey.classes)
        },
        images=_image_numbers(survey.store),
        leaks=_leak_numbers(survey),
        controls=ControlNumbers(
            majority=MajorityNumbers(published=scores.majority_published, all=scores.majority),
            thumbnail_lookup=LookUpNumbers(
                published=scores.published,
                random=scores.random,
                leak_free=scores.leak_free,
                folds=scores.folds,
            ),
        ),
        lineage=LineageNumbers(
            matched=len(survey.matches),
            label_disagreements=sorted(survey.rows[m.row].image for m in survey.disagreements),
        ),
        groups=groups,
        findings=[
            FindingNumbers(
                code=f.code,
                title=f.title,
                severity=f.severity,
                status=f.status,
                count=f.count,
                sentence=f.sentence,
            )
            for f in findings
        ],
    )


def _image_numbers(store: Store) -> ImageNumbers:
    """Count files, sizes and kinds."""
    sizes = {(facts.width, facts.height) for facts in store.facts}
    kinds = Counter(facts.kind for facts in store.facts)
    return ImageNumbers(
        readable=len(store),
        unreadable=store.manifest.files_left_out,
        sizes=len(sizes),
        smallest=min(sizes, key=prod),
        largest=max(sizes, key=prod),
        kinds={kind: kinds[kind] for kind in KINDS if kinds[kind]},
    )


def _leak_numbers(survey: Survey) -> LeakNumbers:
    leaks = find_leaks(survey)
    if leaks is None:
        return LeakNumbers()
    counts: dict[str, int] = {}
    for row in leaks.any.nonzero()[0]:
        counts[survey.rows[row].label] = counts.get(survey.rows[row].label, 0) + 1
    return LeakNumbers(
        test_images=int(leaks.tested.sum()),
        byte_identical=int(leaks.byte_identical.sum()),
        pixel_identical=int(leaks.pixel_identical.sum()),
        near_identical=int(leaks.near_identical.sum()),
        same_patient=int(leaks.same_patient.sum()),
        any=int(leaks.any.sum()),
        by_class=counts,
    )
