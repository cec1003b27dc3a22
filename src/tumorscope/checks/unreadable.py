"""TS001: files that cannot be decoded, and names that lie about the content."""

from tumorscope.checks.base import Check, Finding, found, passed
from tumorscope.grouping.survey import Survey
from tumorscope.support.text import plural

SUFFIXES = {
    "JPEG": ("jpg", "jpeg", "jpe", "jfif"),
    "PNG": ("png",),
    "BMP": ("bmp", "dib"),
    "TIFF": ("tif", "tiff"),
    "WEBP": ("webp",),
    "GIF": ("gif",),
}


class Unreadable(Check):
    """Names each file that is not used, and each whose extension is not its content's."""

    code, title, severity = "TS001", "Unreadable or misnamed files", "warning"

    def run(self, survey: Survey) -> Finding:
        """List them with their reasons."""
        manifest = survey.store.manifest
        bad = [(file.image, file.reason) for file in manifest.left_out]
        lying = [
            (row.image, f"content is {facts.format}")
            for row, facts in zip(manifest.rows, survey.store.facts, strict=True)
            if row.image.rpartition(".")[2].lower() not in SUFFIXES.get(facts.format, ())
        ]
        if not bad and not lying:
            return passed(self, f"All {plural(len(manifest.rows), 'file')} can be read.")
        return found(
            self,
            f"{plural(len(bad), 'file')} cannot be used; "
            f"{plural(len(lying), 'file')} with content that does not match the extension.",
            "Replace or delete what cannot be read; rename what is misnamed.",
            ("file", "reason"),
            bad + lying,
        )
