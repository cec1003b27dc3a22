"""Do all runtimes give the same answer? 500 real slices of odd sizes through each of them.

    python experiments/runtimes.py RUN …

Node takes part where `npm ci --ignore-scripts` was run in tests/node.
"""

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.data.read import read_image
from tumorscope.inference.bundle import GRAPH, Runtime, open_bundle
from tumorscope.inference.runtimes import open_engine

DATA = Path(os.environ.get("TUMORSCOPE_DATA", "../shared/data"))
NODE = Path(__file__).parents[1] / "tests" / "node"
COUNT = 500
NAMES: dict[str, Runtime] = {
    "PyTorch": "pytorch",
    "ONNX Runtime": "onnx",
    "OpenVINO": "openvino",
}
Slices = list[NDArray[np.float32]]


def main() -> None:
    """Print a row a runtime and run: images of another class, largest difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+")
    slices = odd_slices()
    shapes = {own.shape for own in slices}
    print(f"{len(slices)} slices of {len(shapes)} shapes")
    for run in parser.parse_args().runs:
        answers = {name: answer(slices) for name, answer in runtimes(run)}
        expected = answers["PyTorch"]
        for name, found in answers.items():
            changed = int((found.argmax(axis=1) != expected.argmax(axis=1)).sum())
            print(f"| {run.name} | {name} | {changed} | {np.abs(found - expected).max():.2g} |")


def odd_slices() -> Slices:
    """Return real slices, those of the rarest sizes first."""
    files = sorted((DATA / "sartaj").rglob("*.jpg"))
    decoded = [read_image(path).pixels for path in files]
    seen: dict[tuple[int, ...], int] = {}
    for own in decoded:
        seen[own.shape] = seen.get(own.shape, 0) + 1
    order = sorted(range(len(decoded)), key=lambda n: (seen[decoded[n].shape], n))
    return [decoded[n].astype(np.float32) for n in order[:COUNT]]


def runtimes(run: Path) -> Iterator[tuple[str, Callable[[Slices], NDArray[np.float32]]]]:
    """Yield runtimes and what answers slices with them."""
    bundle = open_bundle(run)
    for name, chosen in (
        ("PyTorch", "pytorch"),
        ("ONNX Runtime", "onnx"),
        ("OpenVINO", "openvino"),
    ):
        engine = open_engine(bundle, chosen, os.cpu_count() or 1)  # type: ignore[arg-type]
        yield (
            name,
            lambda slices, engine=engine: np.concatenate(  # type: ignore[misc]
                [engine(own[None]).probabilities for own in slices]
            ),
        )
    if (NODE / "node_modules").is_dir():
        yield "ONNX Runtime in Node", lambda slices: in_node(bundle.place / GRAPH, slices)


def in_node(graph: Path, slices: Slices) -> NDArray[np.float32]:
    """Return the answers of Node."""
    with tempfile.TemporaryDirectory() as name:
        shapes, levels, out = (Path(name) / each for each in ("shapes", "levels", "out"))
        shapes.write_text(json.dumps([own.shape for own in slices]))
        levels.write_bytes(b"".join(own.tobytes() for own in slices))
        command = ["node", str(NODE / "answer.mjs"), str(graph.resolve())]
        subprocess.run([*command, str(shapes), str(levels), str(out)], check=True)  # noqa: S603
        found = json.loads(out.read_text())
    return np.array([answer["probabilities"] for answer in found], np.float32)


if __name__ == "__main__":
    main()
