"""Scripts that drive a real browser, from tests; skipped where there is none."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent / "node"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


def run_in_browser(script: str, *words: object) -> Any:
    """Run a script of `tests/node` with the browser's path and some words; return what it says."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here: install it, or name it with CHROMIUM")
    if not (HERE / "node_modules" / "playwright-core").is_dir():
        pytest.skip("Node's packages are missing: npm ci --ignore-scripts in tests/node")
    ran = subprocess.run(
        ["node", HERE / script, CHROMIUM, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)
