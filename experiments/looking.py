"""Where models look: maps, boxes, reliance and probes over the test images of several runs.

Each run answers its own test images; the images of all runs are then scored together, with
intervals over patients. Four tables: `maps-NAME.csv`, `reliance-NAME.csv`, `probes-NAME.csv` and,
where the recipe localises, `boxes-NAME.csv`.

    python experiments/looking.py $TUMORSCOPE_DATA/cheng/slices.csv RUN RUN … \
        --name best --save docs/results
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.data.store import Store
from tumorscope.evaluation.breakdown import image_columns
from tumorscope.explanation.agreement import Measured, measure_maps, score_maps
from tumorscope.explanation.boxes import score_boxes
from tumorscope.explanation.examine import EXAMPLES, pictures_of, told_boxes
from tumorscope.explanation.explain import Explainer
from tumorscope.explanation.pictures import Pictures
from tumorscope.explanation.probes import probe_embedding
from tumorscope.explanation.reliance import Shift, measure_reliance, score_reliance
from tumorscope.explanation.sanity import check_maps
from tumorscope.inference.bundle import open_bundle
from tumorscope.runs.evaluation import run_data
from tumorscope.schema.explained import EmbeddingProbe
from tumorscope.schema.scores import Score
from tumorscope.support.files import write_csv
from tumorscope.support.progress import Quiet

Table = list[tuple[object, ...]]


def main() -> None:
    """Measure every run and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--save", type=Path, required=True)
    parser.add_argument("--most", type=int, help="images of a run at most")
    asked = parser.parse_args()
    seen, marked = [], []
    shifts: dict[str, list[Shift]] = {}
    maps: dict[str, list[Measured]] = {}
    boxes: list[NDArray[np.float32]] = []
    probes: Table = []
    for run in asked.runs:
        explainer = Explainer(open_bundle(run))
        store, partition = run_data(run, asked.data, Quiet())
        rows = np.random.default_rng(0).permutation(partition.where("test"))[: asked.most]
        pictures = pictures_of(store, partition, rows)
        own = pictures.some(pictures.marked)
        seen.append(pictures)
        marked.append(own)
        for name, shift in measure_reliance(explainer.predictor, pictures, Quiet()).items():
            shifts.setdefault(name, []).append(shift)
        card = explainer.predictor.card
        assert explainer.network is not None
        found = measure_maps(explainer.network, card.recipe, own, explainer.mapped, Quiet())
        for name, values in found.items():
            maps.setdefault(name, []).extend(values)
        if card.recipe.localise:
            boxes.append(told_boxes(explainer.predictor, own))
        probes += [(run.name, *line) for line in probed(explainer, store, rows, pictures)]
        print(run, len(pictures), flush=True)
    labels = card.classes
    write_maps(asked, maps, Pictures.joined(marked))
    write_reliance(asked, shifts, Pictures.joined(seen), labels)
    header = ("run", "told", "accuracy", "majority", "values", "images")
    write_csv(asked.save / f"probes-{asked.name}.csv", header, probes)
    if boxes:
        write_boxes(asked, np.concatenate(boxes), Pictures.joined(marked))


def probed(
    explainer: Explainer, store: Store, rows: NDArray[np.intp], pictures: Pictures
) -> list[tuple[object, ...]]:
    """Return what can be told from the embedding of a run, and whether its maps may be believed."""
    columns = image_columns(store, rows, [""] * len(store), ())
    predictor = explainer.predictor
    found = probe_embedding(lambda own: predictor.answers(own).embedding, pictures, columns)
    lines = [line(own) for own in found]
    some = pictures.some(np.arange(min(EXAMPLES, len(pictures))))
    assert explainer.network is not None
    for method in explainer.mapped:
        checked = check_maps(explainer.network, predictor, some, method)
        assert checked is not None
        numbers = [f"{n:.3f}" for n in checked.likeness]
        print(method, *numbers, checked.trusted, sep="\t")
        areas = ("deletion", "random_deletion", "insertion", "random_insertion")
        print(*(f"{name} {getattr(checked, name).value:.3f}" for name in areas), sep="\t")
    return lines


def line(own: EmbeddingProbe) -> tuple[object, ...]:
    """Return a probe as cells."""
    return (own.told, f"{own.accuracy:.4f}", f"{own.majority:.4f}", own.values, own.images)


def cells(score: Score) -> tuple[str, ...]:
    """Return a score and the ends of its interval."""
    values = (score.value, score.low, score.high)
    return tuple("" if value is None else f"{value:.4f}" for value in values)


def named(*names: str) -> tuple[str, ...]:
    """Return the names of the columns of some scores."""
    return tuple(f"{name}{end}" for name in names for end in ("", "_low", "_high"))


def write_maps(
    asked: argparse.Namespace, maps: Mapping[str, list[Measured]], marked: Pictures
) -> None:
    """Write how well each method's maps agree with the boxes."""
    rows: Table = []
    for own in score_maps(maps, marked):
        whole = (own.pointing, own.energy, own.overlap, own.recall)
        parts = {**own.pointing_per_class, **own.pointing_per_size}
        rows.append(
            (
                own.method,
                own.pointing.n,
                *(c for s in whole for c in cells(s)),
                *(c for s in parts.values() for c in cells(s)),
            )
        )
    header = ("method", "images", *named("pointing", "energy", "iou", "recall", *parts))
    write_csv(asked.save / f"maps-{asked.name}.csv", header, rows)


def write_reliance(
    asked: argparse.Namespace,
    shifts: Mapping[str, list[Shift]],
    pictures: Pictures,
    labels: tuple[str, ...],
) -> None:
    """Write how often answers change."""
    joined = {
        name: Shift(
            np.concatenate([own.other for own in several]),
            np.concatenate([own.fall for own in several]),
        )
        for name, several in shifts.items()
    }
    rows: Table = []
    for own in score_reliance(joined, pictures, labels):
        scores = (own.changed, own.fall, *own.per_class.values())
        rows.append((own.change, own.changed.n, *(c for s in scores for c in cells(s))))
    header = ("change", "images", *named("answer_changes", "fall", *labels))
    write_csv(asked.save / f"reliance-{asked.name}.csv", header, rows)


def write_boxes(asked: argparse.Namespace, told: NDArray[np.float32], marked: Pictures) -> None:
    """Write how well the models' own boxes agree with those around lesions."""
    found = score_boxes(told, marked)
    scores = {
        "iou": found.overlap,
        "iou at least 0.5": found.half,
        "AP50": found.average_precision,
        "pointing": found.pointing,
        **{f"iou, {label}": score for label, score in found.overlap_per_class.items()},
    }
    rows: Table = [(name, score.n, *cells(score)) for name, score in scores.items()]
    write_csv(asked.save / f"boxes-{asked.name}.csv", ("score", "images", *named("value")), rows)


if __name__ == "__main__":
    main()
