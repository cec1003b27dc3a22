"""TS009: can the label be told without looking at the brain?"""

from tumorscope.checks.base import Check, Finding, found, not_applicable, passed
from tumorscope.evaluation.controls import Probe, background, file_facts, probe, sample
from tumorscope.grouping.survey import Survey

GAIN = 0.10  # over the majority share


class Shortcuts(Check):
    """Probes file facts alone and the background alone, cross-validated by group."""

    code, title, severity = "TS009", "Shortcuts", "warning"

    def run(self, survey: Survey) -> Finding:
        """Compare each probe's accuracy with the majority share."""
        rows = sample(len(survey.labels))
        labels, groups = survey.labels[rows], survey.groups()[rows]
        probes: list[tuple[str, Probe | None]] = [
            ("file facts", probe(file_facts(survey.store, rows), labels, groups)),
            ("background", probe(background(survey.store, rows), labels, groups)),
        ]
        done = [(name, result) for name, result in probes if result is not None]
        if not done:
            return not_applicable(self, "A class has too few groups to cross-validate on.")
        text = "; ".join(f"{name} {result.accuracy:.1%}" for name, result in done)
        share = done[0][1].majority
        if max(result.accuracy for _, result in done) < share + GAIN:
            return passed(
                self,
                f"The label cannot be told from file facts or edges: {text}; "
                f"most frequent class {share:.1%}.",
            )
        return found(
            self,
            f"The label can be told without looking at the brain: {text}; "
            f"most frequent class {share:.1%}.",
            "A model may learn where an image comes from instead of what it shows: compare it with "
            "these figures, and test it on images from another source.",
            ("probe", "accuracy", "most frequent class", "images"),
            [(n, f"{r.accuracy:.1%}", f"{r.majority:.1%}", str(r.n)) for n, r in done],
            count=sum(result.accuracy >= share + GAIN for _, result in done),
        )
