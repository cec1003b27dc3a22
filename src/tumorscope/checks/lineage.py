"""TS006: slices of a known public set under another name."""

from tumorscope.checks.base import Check, Finding, found, passed
from tumorscope.grouping.survey import Survey
from tumorscope.support.text import plural


class Lineage(Check):
    """Recovers patients where a copy of a public set has lost them."""

    code, title, severity = "TS006", "Slices of a known set", "warning"

    def run(self, survey: Survey) -> Finding:
        """List the matches, those with another label first."""
        matches = list(survey.matches.values())
        if not matches:
            return passed(self, "No image is a slice of a known set.")
        wrong = survey.disagreements
        rows = {match.row for match in wrong}
        ordered = [*wrong, *(match for match in matches if match.row not in rows)]
        sets = ", ".join(sorted({match.set_name for match in matches}))
        patients = len({(match.set_name, match.patient) for match in matches})
        return found(
            self,
            f"{plural(len(matches), 'image')} of {len(survey.rows):,} are slices of {sets} "
            f"({plural(patients, 'patient')}); {plural(len(wrong), 'image')} with another label "
            "there than here.",
            "Split by these patients (the default), and look at the labels that disagree.",
            ("image", "label here", "label there", "slice", "patient", "similarity", "lead"),
            [
                (
                    *(survey.rows[m.row].image, survey.rows[m.row].label, m.label),
                    *(f"{m.set_name} {m.name}", m.patient),
                    *(f"{m.similarity:.4f}", f"{m.lead:.3f}"),
                )
                for m in ordered
            ],
            [match.row for match in wrong],
        )
