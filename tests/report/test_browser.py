"""The pages in a real browser: readable by machines, no wider than a phone, dark where wanted."""

from pathlib import Path

import tumorscope
from tests.browser import run_in_browser


def test_pages_pass_axe_and_fit_every_screen(
    tiny_run: tumorscope.Run, phantoms: Path, tmp_path: Path
) -> None:
    """A report and an audit, all pictures shown, on a wide screen, a phone and in the dark."""
    tumorscope.audit(phantoms, out=tmp_path / "audit")
    pages = [tiny_run.folder / "report.html", tmp_path / "audit" / "audit.html"]
    answers = run_in_browser("pages.mjs", *pages)
    assert len(answers) == 3 * len(pages)
    for answer in answers:
        assert answer["wrong"] == [], answer
        assert answer["excess"] <= 0, answer
        assert answer["missing"] == 0, answer
