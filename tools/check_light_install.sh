#!/usr/bin/env bash
# The base install, as `pip install .` gives it, predicts without PyTorch, and training names its extra.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
.venv/bin/python -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --require-hashes --no-deps -r requirements/base.txt
.venv/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$work" .
"$work/venv/bin/python" -m pip install --quiet --no-deps "$work"/tumorscope-*.whl
"$work/venv/bin/python" -m pip check

.venv/bin/python - "$work" <<'PY'
import sys
from pathlib import Path
import tumorscope
from tumorscope.data.phantom import write_phantoms
top = Path(sys.argv[1])
data = write_phantoms(top / "data", patients=3, slices=2)
tumorscope.train(data=data, overrides=["image_size=32", "epochs=1"], out=top / "run", device="cpu")
PY

cd "$work"
venv/bin/python -c 'import importlib.util as u, sys; sys.exit(any(map(u.find_spec, ("torch", "pandas", "sklearn"))))'
answer=$(venv/bin/tumorscope predict run data/images/synthetic-glioma-0-00.png --format jsonl)
grep --quiet '"probabilities": {"glioma": 0' <<<"$answer"  # no pipe: grep -q would close it early
venv/bin/tumorscope predict data/images/synthetic-glioma-0-00.png 2>&1 | grep --quiet "tumor-type-t1c: tells glioma"
if message=$(venv/bin/tumorscope train data 2>&1); then echo "training without PyTorch?"; exit 1; fi
grep --quiet "pip install '.\[train\]'" <<<"$message"
echo "light install: predicts without PyTorch; $message"
