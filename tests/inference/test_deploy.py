"""What the pages on deployment show is run here as it stands."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tumorscope
from tumorscope.data.read import picture_levels, read_image
from tumorscope.inference.bundle import GRAPH, zip_bundle
from tumorscope.inference.predict import Predictor

PAGES = Path(__file__).parents[2] / "docs" / "deploy"
NODE = Path(__file__).parents[1] / "node"


@pytest.fixture
def place(tiny_run: tumorscope.Run, phantoms: Path, tmp_path: Path) -> Path:
    """A folder with a bundle, its zip, two slices and one of them as raw bytes."""
    shutil.copytree(tiny_run.folder / "bundle", tmp_path / "bundle")
    zip_bundle(tmp_path / "bundle")
    files = sorted(phantoms.parent.rglob("*.png"))
    shutil.copytree(files[0].parent, tmp_path / "slices")
    shutil.copy(files[0], tmp_path / "slice.png")
    shutil.copy(files[20], tmp_path / "other.png")
    grey = Image.open(files[0]).convert("L")
    (tmp_path / "slice.raw").write_bytes(grey.tobytes())
    (tmp_path / "slice.json").write_text(json.dumps({"width": grey.width, "height": grey.height}))
    return tmp_path


def snippet(page: str, language: str) -> str:
    """Return the first snippet of a page."""
    found = re.search(rf"```{language}\n(.*?)```", (PAGES / page).read_text(), re.DOTALL)
    assert found
    return found[1]


def run(place: Path, *words: str | Path) -> str:
    """Run a command in a folder, as one that has this tumorscope at hand, and return its output."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        words,
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PATH": path},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("page", ["python.md", "onnx-runtime.md", "openvino.md"])
def test_python_pages(page: str, place: Path) -> None:
    """The snippets in Python give the answer of the predictor."""
    output = run(place, sys.executable, "-W", "ignore", "-c", snippet(page, "python"))
    answer = Predictor.load(place / "bundle")(place / "slice.png")
    best = max(answer.probabilities, key=lambda name: answer.probabilities[name])
    assert best in output


def odd_files(folder: Path) -> list[Path]:
    """Write files of kinds that decoders treat differently: one each."""
    generator = np.random.default_rng(0)
    deep = generator.integers(0, 4000, (40, 30)).astype(np.uint16)
    colour = generator.integers(0, 256, (40, 30, 4), np.uint8)
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter
    Image.fromarray(deep).save(folder / "deep.png")
    Image.fromarray(deep.astype(np.float32) - 900).save(folder / "floats.tiff")
    Image.fromarray(colour).save(folder / "transparent.png")
    Image.fromarray(colour[..., :3]).save(folder / "turned.jpg", exif=turned)
    Image.fromarray(colour[..., 0]).save(folder / "grey.png")
    Image.fromarray(colour[..., :3]).quantize(16).save(folder / "palette.png", transparency=3)
    return sorted(folder.iterdir())


@pytest.mark.parametrize("page", ["onnx-runtime.md", "openvino.md"])
def test_pages_read_files_as_the_package_does(page: str, tmp_path: Path) -> None:
    """To the bit, whatever EXIF, depth and transparency a file has; Pillow's images too."""
    head = snippet(page, "python").split("card = ")[0]
    space: dict[str, Any] = {}
    exec("\n".join(line for line in head.splitlines() if "runtime" not in line), space)  # noqa: S102
    for path in odd_files(tmp_path):
        expected = read_image(path).pixels.astype(np.float32)
        np.testing.assert_array_equal(space["read_slice"](path), expected, err_msg=path.name)
        with Image.open(path) as picture:
            np.testing.assert_array_equal(picture_levels(picture), read_image(path).pixels)
    assert read_image(tmp_path / "turned.jpg").pixels.shape == (30, 40)
    assert read_image(tmp_path / "deep.png").pixels.max() == pytest.approx(255)


@pytest.mark.parametrize("page", ["command-line.md", "ray.md"])
def test_shell_pages(page: str, place: Path) -> None:
    """The commands run, and `--out` holds an answer a slice."""
    if page == "ray.md":
        pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    for line in snippet(page, "sh").splitlines():
        run(place, "bash", "-c", line)
    answers = (place / "answers.jsonl").read_text().splitlines()
    assert len(answers) == len(list((place / "slices").iterdir()))


def _node(place: Path, script: Path, *words: str | Path) -> str:
    if shutil.which("node") is None or not (NODE / "node_modules" / "onnxruntime-node").is_dir():
        pytest.skip("Node or its packages are missing: npm ci --ignore-scripts in tests/node")
    if script.parent != place:
        shutil.copy(script, place)
    (place / "node_modules").symlink_to(NODE / "node_modules")
    return run(place, "node", script.name, *words)


def test_node_page(place: Path) -> None:
    """The snippet in JavaScript gives the answer of the predictor."""
    (place / "snippet.mjs").write_text(snippet("node.md", "js"))
    output = _node(place, place / "snippet.mjs").split()
    answer = Predictor.load(place / "bundle")(place / "slice.png")
    assert float(output[1]) == pytest.approx(answer.probabilities[output[0]], abs=1e-4)


def test_node_answers_real_slices_like_python(place: Path, real_data: Path) -> None:
    """ONNX Runtime in Node gives what it gives in Python, on real slices of odd sizes."""
    files = sorted((real_data / "yesno").rglob("*.*"))[::8]
    slices = [read_image(path).pixels.astype(np.float32) for path in files]
    (place / "shapes.json").write_text(json.dumps([own.shape for own in slices]))
    (place / "levels.bin").write_bytes(b"".join(own.tobytes() for own in slices))
    names = ("shapes.json", "levels.bin", "answers.json")
    _node(place, NODE / "answer.mjs", f"bundle/{GRAPH}", *names)
    found = json.loads((place / "answers.json").read_text())
    engine = Predictor.load(place / "bundle").engine
    for own, answer in zip(slices, found, strict=True):
        expected = engine(own[None])
        assert np.abs(expected.probabilities[0] - answer["probabilities"]).max() <= 1e-4
        assert expected.strangeness[0] == pytest.approx(answer["strangeness"], rel=1e-3)


def test_every_page_is_listed() -> None:
    """The overview names each page."""
    listed = (PAGES / "README.md").read_text()
    for page in PAGES.glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in listed
