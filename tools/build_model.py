"""Build the model that comes with the package, and score it on other sets.

    python tools/build_model.py $TUMORSCOPE_DATA --out runs/model \
        weights=mobilenetv2_100_imagenet.safetensors

Trains one network of `best`, as two are too large to ship, on the patient folds 2 to 5 of `cheng`
(CC BY 4.0), tests it on fold 1, writes it in half precision, and scores it on what is left of
`sartaj` and `boxes` without the slices of `cheng`. A run that is already in the folder goes on, or
is taken as it is. Fold 1 was fixed before any model was looked at; nothing is chosen by it or by
the other sets.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np

import tumorscope
from tumorscope.data.layouts import read_manifest
from tumorscope.data.store import MIDDLE, open_store
from tumorscope.grouping.survey import Survey
from tumorscope.inference.bundle import README, open_bundle, write_bundle, zip_bundle
from tumorscope.inference.predict import Predictor
from tumorscope.inference.shipped import DEFAULT, shipped_zip
from tumorscope.runs.folder import is_run
from tumorscope.schema.labels import canonical
from tumorscope.schema.recipe import Recipe
from tumorscope.schema.wording import with_interval
from tumorscope.support.files import write_csv
from tumorscope.support.terminal import terminal_progress

FOLD = 1
OTHERS = ("sartaj", "boxes")
HEALTHY = "no_tumor"  # canonical name
SCOPE = (
    "tells glioma, meningioma and pituitary tumour apart on contrast-enhanced T1 slices that show "
    "one of them; it knows no healthy brain and no other disease."
)
LICENCE = (
    "Apache-2.0, as the weights that training started from (Google's MobileNetV2). Trained on "
    "'brain tumor dataset' by Jun Cheng, figshare 1512427, CC BY 4.0: name it (Cheng et al., PLoS "
    "ONE 10(10): e0140381, 2015)."
)


def main() -> None:
    """Train, export, score elsewhere, and put the zip into the package."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("settings", nargs="*", metavar="field=value")
    parser.add_argument("--out", type=Path, default=Path("runs/model"))
    asked = parser.parse_intermixed_args()
    run, made = asked.out, asked.out / "exports" / DEFAULT
    tumorscope.train(
        asked.data / "cheng" / "slices.csv",
        recipe="best",
        overrides=["members=1", *asked.settings],
        test_fold=FOLD,
        out=run,
        resume=is_run(run),
        progress=terminal_progress(quiet=False),
    )
    shutil.rmtree(made, ignore_errors=True)
    tumorscope.export_run(run, precision="fp16", out=made, licence=LICENCE)
    card = open_bundle(made).card
    scores, lines = {}, []
    for name in OTHERS:
        table = new_slices(asked.data / name, asked.out / f"{name}-without-cheng.csv")
        results = tumorscope.evaluate(run, data=table)
        scores[name] = results.all.accuracy
        refused, healthy = refusals(made, table)
        controls = results.all.controls
        lines.append(
            f"- `{name}`: {with_interval(results.all.accuracy)} of {results.all.n} images of these "
            f"classes, the best control {with_interval(getattr(controls, controls.best))}; of "
            f"{healthy} images without a tumour it refuses {refused}."
        )
    said = {"scope": SCOPE, "elsewhere": scores, "recipe": without_place(card.recipe)}
    page = (made / README).read_text(encoding="utf-8")
    elsewhere = "\n".join(["## On other sets, without the slices of its own\n", *lines, ""])
    page = f"{DEFAULT} {SCOPE}\n\n{page}\n{elsewhere}"
    write_bundle(made, card.model_copy(update=said), {README: page.encode()})
    shipped_zip(DEFAULT).parent.mkdir(exist_ok=True)
    shutil.copyfile(zip_bundle(made), shipped_zip(DEFAULT))
    print("\n".join([*lines, f"{shipped_zip(DEFAULT).stat().st_size:,} bytes"]))


def without_place(recipe: Recipe) -> Recipe:
    """Return a recipe that names the file of its weights, but not where it lay."""
    return recipe.model_copy(update={"weights": recipe.weights and Path(recipe.weights).name})


def new_slices(data: Path, table: Path) -> Path:
    """Write a manifest of the images of a set that are no slices of `cheng`."""
    survey = Survey(open_store(read_manifest(data), MIDDLE))
    root = survey.store.manifest.root.resolve()
    rows = [
        (root / row.image, row.label)
        for number, row in enumerate(survey.rows)
        if number not in survey.matches
    ]
    write_csv(table, ("image", "label"), rows)
    return table


def refusals(bundle: Path, table: Path) -> tuple[int, int]:
    """Return how many images without a tumour a model refuses, and how many there are."""
    rows = read_manifest(table).rows
    healthy = [row.image for row in rows if canonical(row.label) == HEALTHY]
    answers = Predictor.load(bundle).predict(table.parent / image for image in healthy)
    return int(np.sum([not answer.accepted for answer in answers])), len(healthy)


if __name__ == "__main__":
    main()
