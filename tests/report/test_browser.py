"""The pages in a real browser: readable by machines, no wider than a phone, dark where wanted."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import tumorscope

HERE = Path(__file__).parents[1] / "node"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


def test_pages_pass_axe_and_fit_every_screen(
    tiny_run: tumorscope.Run, phantoms: Path, tmp_path: Path
) -> None:
    """A report and an audit, all pictures shown, on a wide screen, a phone and in the dark."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here: install it, or name it with CHROMIUM")
    if not (HERE / "node_modules" / "playwright-core").is_dir():
        pytest.skip("Node's packages are missing: npm ci --ignore-scripts in tests/node")
    tumorscope.audit(phantoms, out=tmp_path / "audit")
    pages = [tiny_run.folder / "report.html", tmp_path / "audit" / "audit.html"]
    ran = subprocess.run(
        ["node", HERE / "pages.mjs", CHROMIUM, *pages],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    answers = json.loads(ran.stdout)
    assert len(answers) == 3 * len(pages)
    for answer in answers:
        assert answer["wrong"] == [], answer
        assert answer["excess"] <= 0, answer
        assert answer["missing"] == 0, answer
