"""Does the gate refuse what is no brain MRI slice, and let slices in?

Strangers come from the packages of the group `bench`: photographs and scans of documents of
scikit-learn, scikit-image and Matplotlib, other modalities and body parts of pydicom; documents,
noise and gradients are drawn here. Each photograph is taken whole and as nineteen crops.

    python experiments/gate.py RUN … --save docs/results/gate.csv
"""

import argparse
import importlib
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from sklearn.metrics import roc_auc_score

from tumorscope.data.phantom import write_phantoms
from tumorscope.data.read import read_image
from tumorscope.data.resize import resize
from tumorscope.inference.predict import Predictor
from tumorscope.records import Pixels
from tumorscope.runs.folder import read_environment
from tumorscope.support.files import read_csv, write_csv

DATA = Path(os.environ.get("TUMORSCOPE_DATA", "../shared/data"))
COLUMNS = ("run", "inputs", "pictures", "images", "auroc", "refused")
PHOTOGRAPHS = (
    *(("sklearn.datasets", f"images/{name}.jpg") for name in ("china", "flower")),
    ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    *(
        ("skimage", f"data/{name}")
        for name in (
            *("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "coins.png"),
            *("grass.png", "gravel.png", "brick.png", "motorcycle_left.png", "rocket.jpg"),
            "hubble_deep_field.jpg",
        )
    ),
)
SCANS = (("skimage", "data/page.png"), ("skimage", "data/text.png"))
MEDICAL = (
    *(("skimage", f"data/{n}") for n in ("retina.jpg", "microaneurysms.png", "ihc.png")),
    ("skimage", "data/cell.png"),
    *(
        ("pydicom", f"data/test_files/{name}.dcm")
        for name in (
            *("CT_small", "693_J2KI", "JPEG2000", "examples_overlay", "examples_jpeg2k"),
            *("examples_palette", "examples_rgb_color", "examples_ybr_color"),
        )
    ),
)
CROPS = 20
DRAWN = 100


def main() -> None:
    """Measure each run and write its rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--save", type=Path, required=True)
    asked = parser.parse_args()
    strangers = dict(draw_strangers(asked.save.parent / ".gate-phantoms"))
    rows: list[tuple[object, ...]] = []
    for run in asked.runs:
        rows += measure(run, strangers)
        write_csv(asked.save, COLUMNS, rows)
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")


Pictures = list[list[Pixels]]  # pictures, and what was cut of each


def measure(run: Path, strangers: dict[str, Pictures]) -> Iterator[tuple[object, ...]]:
    """Yield a row for the run's test images, one for slices of other sets, one a stranger."""
    predictor = Predictor.load(run)
    home = Path(read_environment(run)["data"]["path"])
    tested = {row["image"] for row in read_csv(run / "partition.csv") if row["part"] == "test"}
    root = home.parent if home.is_file() else home
    own = strangeness(predictor, [read_image(root / name).pixels for name in sorted(tested)])
    name = f"{home.stem if home.is_file() else home.name}, {predictor.card.recipe.name}"
    yield (name, "its own test images", len(own), len(own), "", f"{(own > 1).mean():.3f}")
    for folder in ("yesno", "boxes"):
        files = sorted((DATA / folder).rglob("*.jp*g"))[::3]
        found = strangeness(predictor, [read_image(path).pixels for path in files])
        yield (name, f"slices of {folder}", len(found), len(found), "", f"{(found > 1).mean():.3f}")
    for kind, pictures in strangers.items():
        found = strangeness(predictor, [image for picture in pictures for image in picture])
        truth = np.r_[np.zeros(len(own)), np.ones(len(found))]
        area = roc_auc_score(truth, np.r_[own, found])
        share = f"{(found > 1).mean():.3f}"
        yield (name, kind, len(pictures), len(found), f"{area:.4f}", share)


def strangeness(predictor: Predictor, images: Sequence[Pixels]) -> NDArray[np.float32]:
    """Return how far images lie from those of training."""
    size = predictor.card.preprocessing.image_size
    return predictor.answers(np.stack([resize(image, size) for image in images])).strangeness


def draw_strangers(phantoms: Path) -> Iterator[tuple[str, Pictures]]:
    """Yield kinds of inputs that are no real slice."""
    generator = np.random.default_rng(0)
    yield "photographs", [crops(path, generator) for path in located(PHOTOGRAPHS)]
    yield "scans of pages", [crops(path, generator) for path in located(SCANS)]
    yield "pages of text, drawn", [[page(generator)] for _ in range(DRAWN)]
    yield "other body parts and modalities", [[image] for image in medical()]
    yield "noise and gradients", [[texture(generator, n)] for n in range(DRAWN)]
    yield "blank", [[np.full((64, 64), level, np.uint8)] for level in range(0, 256, 15)]
    manifest = write_phantoms(phantoms, patients=6, slices=4)
    images = sorted(manifest.parent.rglob("*.png"))
    yield "phantoms", [[read_image(path).pixels] for path in images]


def located(files: Sequence[tuple[str, str]]) -> Iterator[Path]:
    """Yield files that come with a package."""
    for package, name in files:
        yield Path(str(importlib.import_module(package).__file__)).parent / name


def crops(path: Path, generator: np.random.Generator) -> list[Pixels]:
    """Return a picture whole and as squares cut from it at random."""
    whole = read_image(path).pixels
    height, width = whole.shape
    found: list[Pixels] = [whole]
    for _ in range(CROPS - 1):
        side = int(generator.uniform(0.4, 0.9) * min(height, width))
        top, left = generator.integers(height - side), generator.integers(width - side)
        found.append(whole[top : top + side, left : left + side])
    return found


def medical() -> Iterator[Pixels]:
    """Yield pictures of eyes, cells, belly, skeleton and the like."""
    import pydicom  # noqa: PLC0415 (of the group bench)

    for path in located(MEDICAL):
        if path.suffix != ".dcm":
            yield read_image(path).pixels
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd headers
            levels = pydicom.dcmread(path).pixel_array.astype(np.float32)
        if levels.ndim == 4 or (levels.ndim == 3 and levels.shape[-1] != 3):
            levels = levels[0]
        if levels.ndim == 3:
            levels = levels.mean(axis=-1)
        levels -= levels.min()
        yield (levels * (255 / max(levels.max(), 1))).astype(np.uint8)


def page(generator: np.random.Generator) -> Pixels:
    """Draw a page of words in lines, some with a heading or a frame."""
    width, height = (int(value) for value in generator.integers(300, 900, 2))
    image = Image.new("L", (width, height), int(generator.integers(200, 256)))
    pen, size = ImageDraw.Draw(image), int(generator.integers(10, 28))
    font = ImageFont.load_default(size)
    for top in range(20, height - size, int(1.5 * size)):
        words = ["".join(map(chr, generator.integers(97, 123, 6))) for _ in range(width // size)]
        pen.text((20, top), " ".join(words), fill=int(generator.integers(0, 80)), font=font)
    if generator.random() < 0.3:
        pen.rectangle((8, 8, width - 8, height - 8), outline=0, width=3)
    return np.asarray(image)


def texture(generator: np.random.Generator, number: int) -> Pixels:
    """Draw noise of some grain, or a gradient."""
    if number % 4 == 0:
        ends = generator.integers(0, 256, 2)
        line = np.linspace(int(ends[0]), int(ends[1]), 200).astype(np.uint8)
        return np.tile(line, (200, 1)) if number % 8 else np.tile(line[:, None], (1, 200))
    grain = int(generator.integers(1, 9))
    coarse = generator.integers(0, 256, (200 // grain, 200 // grain), np.uint8)
    return np.kron(coarse, np.ones((grain, grain), np.uint8))


if __name__ == "__main__":
    main()
