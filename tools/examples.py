"""Write and run the notebooks in `examples/`, one a recipe.

    python tools/examples.py            # write them, with the outputs of a run on drawn slices
    python tools/examples.py --check    # run those that are there, on few slices and small networks

They differ in the recipe and in where its data usually lies, so that one text here makes them all.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from tumorscope.data.catalogue import find_set
from tumorscope.data.phantom import write_phantoms
from tumorscope.schema.recipe import load_recipe, recipe_names
from tumorscope.support.files import read_csv

EXAMPLES = Path(__file__).parents[1] / "examples"
HOMES = {
    "resnet18": "sartaj",
    "resnet50-boxes": "boxes",
    "resnet50-two-phase": "nickparvar",
    "resnet18-512": "sartaj",
    "cnn-baseline": "yesno",
    "resnet50-staged": "yesno",
    "mobilenetv2-staged": "yesno",
    "best": "boxes",
}
SMALL = "pretrained=false epochs=3 image_size=96 batch_size=16"
TINY = "pretrained=false epochs=1 image_size=48 batch_size=8"
SMALLER = {"resnet": "test_resnet", "mobilenet": "test_efficientnet"}
SECONDS = 300  # for one cell

TITLE = """# {name}

{summary}. Source: {source}.

Research software, not a medical device. The outputs below come from slices that the package draws,
with the settings that the second cell prints, so their scores say nothing about real ones. On your
own data run all cells again; nothing is ever written into the data's folder."""

START = """# To install tumorscope on Kaggle; docs/start/platforms.md has other places.
# %pip install -q "/kaggle/working/tumorscope[train]"
import os
from pathlib import Path

from IPython.display import Image, display

import tumorscope"""

SETTINGS = """# A folder with one subfolder a class, with or without a split, or a manifest.
data = Path(os.environ.get("EXAMPLE_DATA", "{place}"))
# Fields of the recipe to change, such as "epochs=10 image_size=160". Without a network, for a
# recipe that wants published weights: "weights=FILE", or "pretrained=false" to start from scratch.
settings = os.environ.get("EXAMPLE_SETTINGS", "").split()
out = Path(os.environ.get("EXAMPLE_OUT", "."))
print("{name}:", " ".join(settings) or "as it is")"""

AUDIT = """## What is in the data

Leaks, copies, doubtful labels and shortcuts, before anything is trained."""
TRAIN = """## Training

The parts are drawn by patient and by copy, unless the recipe takes a published split. The test part
chooses nothing."""
LOOK = """## How it went

`run/report.html` has everything; two of its figures:"""
ONE = """## One image

`run/bundle` is all that another machine needs."""

STEPS = (
    (AUDIT, "tumorscope.audit(data, out=out / 'audit')"),
    ("## The network", "!tumorscope recipes {name} --summary {{' '.join(settings)}}"),
    (
        TRAIN,
        "run = tumorscope.train(data, recipe='{name}', overrides=settings, out=out / 'run')\nrun",
    ),
    (
        LOOK,
        "for name in ('curves', 'confusion'):\n"
        "    display(Image(str(run.folder / 'figures' / f'{{name}}.png'), width=560))",
    ),
    (
        ONE,
        "image = min(path for path in data.rglob('*') if path.suffix in ('.jpg', '.png'))\n"
        "tumorscope.Predictor.load(run.folder)(image)",
    ),
)


def main() -> int:
    """Write the notebooks, or check them; return an exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=recipe_names(), metavar="recipe")
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    EXAMPLES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        data = draw(Path(folder), patients=4 if asked.check else 8)
        jobs = [(name, data, Path(folder) / name, asked.check) for name in asked.names]
        problems = [problem for problem in pool.map(lambda job: handle(*job), jobs) if problem]
    for problem in problems:
        print(problem)
    return int(bool(problems))


def draw(folder: Path, patients: int) -> Path:
    """Draw slices in the layout of the Kaggle set with boxes, and return its folder."""
    drawn = write_phantoms(folder / "drawn", patients=patients, slices=4)
    rows = read_csv(drawn)
    classes = sorted({row["label"] for row in rows})
    people = sorted({row["patient_id"] for row in rows})
    for row in rows:
        part = "Val" if people.index(row["patient_id"]) % 4 == 0 else "Train"
        image, home = drawn.parent / row["image"], folder / "slices" / part / row["label"]
        for name in ("images", "labels"):
            (home / name).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(image, home / "images" / image.name)
        box = [row[name] for name in ("x_center", "y_center", "width", "height")]
        lines = [" ".join([str(classes.index(row["label"])), *box])] if all(box) else []
        (home / "labels" / f"{image.stem}.txt").write_text("\n".join(lines))
    return folder / "slices"


def handle(name: str, data: Path, out: Path, check: bool) -> str:
    """Write and run a notebook, or run the one that is there; return what is wrong."""
    path = EXAMPLES / f"{name}.ipynb"
    notebook = fresh(name)
    if check:
        if not path.is_file():
            return f"{path} is missing: python tools/examples.py writes it."
        kept = nbformat.read(path, 4)  # type: ignore[no-untyped-call]
        if [cell.source for cell in kept.cells] != [cell.source for cell in notebook.cells]:
            return f"{path} is not what tools/examples.py writes: run it."
    backbone = load_recipe(name).backbone
    smaller = next(
        (own for family, own in SMALLER.items() if backbone.startswith(family)), backbone
    )
    fewer = " train=[blocks.2,conv_head,bn2,head]" if name == "best" else ""
    environment = {
        # The commands of cells are those of this environment, whether it is activated or not.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "EXAMPLE_DATA": str(data),
        "EXAMPLE_OUT": str(out),
        "EXAMPLE_SETTINGS": f"{TINY} backbone={smaller}{fewer}" if check else SMALL,
    }
    out.mkdir()
    client = NotebookClient(
        notebook,
        timeout=SECONDS,
        kernel_name="python3",
        extra_arguments=["--IPKernelApp.log_level=40"],  # it warns of the machine's own network
    )
    client.execute(env={**os.environ, **environment})
    if "command not found" in str(notebook.cells):  # which a cell that calls one passes over
        return f"{path}: a command of it was not found."
    if not check:
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = [own for own in cell.outputs if "TqdmWarning" not in str(own)]
                cell.outputs = without_place(cell.outputs, out.parent)
                cell.metadata.pop("execution", None)  # times, which differ with every run
        nbformat.write(notebook, path)  # type: ignore[no-untyped-call]
    print(f"{name}: ran")
    return ""


def without_place(outputs: list[Any], folder: Path) -> list[Any]:
    """Return outputs in which paths begin where the notebook worked."""
    return [
        nbformat.from_dict(json.loads(json.dumps(own).replace(f"{folder}/", "")))  # type: ignore[no-untyped-call]
        for own in outputs
    ]


def fresh(name: str) -> Any:
    """Return a recipe's notebook without outputs."""
    recipe = load_recipe(name)
    slug = str(find_set(HOMES[name]).kaggle).split("/")[-1]
    words = {
        "name": name,
        "summary": recipe.summary[0].upper() + recipe.summary[1:],
        "source": recipe.source,
        "place": f"/kaggle/input/{slug}",
    }
    v4: Any = nbformat.v4
    cells = [v4.new_markdown_cell(TITLE.format(**words))]
    cells += [v4.new_code_cell(START), v4.new_code_cell(SETTINGS.format(**words))]
    for text, code in STEPS:
        cells += [v4.new_markdown_cell(text), v4.new_code_cell(code.format(**words))]
    for number, cell in enumerate(cells):
        cell.id = f"{name}-{number}"  # drawn at random otherwise
    notebook = v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    return notebook


if __name__ == "__main__":
    sys.exit(main())
