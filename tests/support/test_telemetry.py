"""Nothing that answers here reports to the makers of a library."""

import os
import subprocess
import sys
from pathlib import Path

ANSWER = """
import os, numpy as np, tumorscope
assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
tumorscope.Predictor.load()(np.arange(1 << 16, dtype=np.uint32).astype(np.uint8).reshape(256, 256))
"""


def test_an_answer_leaves_nothing_to_report(tmp_path: Path) -> None:
    """Without its switch, ONNX Runtime keeps an identifier and what it would send in the home."""
    # Without the variables by which it knows a build server, where it would not report anyway.
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    ran = subprocess.run(
        [sys.executable, "-c", ANSWER], check=False, env=kept | home, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert [str(path) for path in tmp_path.rglob("*") if "Microsoft" in str(path)] == []
