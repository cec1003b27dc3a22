"""Where models look: maps, boxes, reliance and probes over the test images of several runs.

Each run answers its own test images; the images of all runs are then scored together, with
intervals over patients. Five tables: `maps-NAME.csv`, `reliance-NAME.csv`, `probes-NAME.csv`,
`sanity-NAME.csv` and, where the recipe localises, `boxes-NAME.csv`.

    python experiments/looking.py $TUMORSCOPE_DATA/cheng/slices.csv RUN RUN … \
        --name best --save docs/results
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.evaluation.breakdown import image_columns
from tumorscope.explanation.agreement import Measured, measure, measure_maps, score_maps
from tumorscope.explanation.boxes import score_boxes
from tumorscope.explanation.examine import EXAMPLES, pictures_of, told_boxes
from tumorscope.explanation.explain import Explainer
from tumorscope.explanation.pictures import Pictures
from tumorscope.explanation.probes import probe_embedding
from tumorscope.explanation.reliance import (
    Shift,
    answered,
    is_right,
    measure_reliance,
    score_reliance,
)
from tumorscope.explanation.sanity import check_maps
from tumorscope.inference.bundle import open_bundle
from tumorscope.runs.evaluation import run_data
from tumorscope.schema.explained import EmbeddingProbe
from tumorscope.schema.scores import Score
from tumorscope.support.files import write_csv
from tumorscope.support.progress import Quiet

SLOW = ("integrated-gradients", "occlusion", "rise")
AREAS = ("deletion", "random_deletion", "insertion", "random_insertion")
Table = list[tuple[object, ...]]


@dataclass
class Found:
    """What was found on the test images of some runs."""

    seen: list[Pictures] = field(default_factory=list)
    marked: list[Pictures] = field(default_factory=list)
    shifts: dict[str, list[Shift]] = field(default_factory=dict)
    maps: dict[str, list[Measured]] = field(default_factory=dict)
    boxes: list[NDArray[np.float32]] = field(default_factory=list)
    probes: Table = field(default_factory=list)
    sanity: Table = field(default_factory=list)
    labels: tuple[str, ...] = ()


def main() -> None:
    """Measure every run and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--save", type=Path, required=True)
    parser.add_argument("--most", type=int, help="images of a run at most")
    parser.add_argument("--reliance", action="store_true", help="what they rely on, and no more")
    parser.add_argument("--slow", action="store_true", help="maps alone, by the slow methods too")
    asked = parser.parse_args()
    asked.save.mkdir(parents=True, exist_ok=True)  # before hours of work
    found = Found()
    for run in asked.runs:
        look_at(run, asked, found)
        print(run, len(found.seen[-1]), flush=True)
    if found.shifts:
        write_reliance(asked, found)
    if found.maps:
        write_maps(asked, found)
    if found.probes:
        write_probes(asked, found)
    if found.boxes:
        write_boxes(asked, np.concatenate(found.boxes), Pictures.joined(found.marked))


def look_at(run: Path, asked: argparse.Namespace, found: Found) -> None:
    """Measure one run."""
    explainer = Explainer(open_bundle(run))
    predictor, network = explainer.predictor, explainer.network
    store, partition = run_data(run, asked.data, Quiet())
    rows = np.random.default_rng(0).permutation(partition.where("test"))[: asked.most]
    pictures = pictures_of(store, partition, rows)
    own = pictures.some(pictures.marked)
    found.seen.append(pictures)
    found.marked.append(own)
    found.labels = predictor.card.classes
    if not asked.slow:
        before = answered(predictor, pictures.pixels)
        changed = measure_reliance(predictor, pictures, before, Quiet())
        for name, shift in changed.items():
            found.shifts.setdefault(name, []).append(shift)
    if asked.reliance:
        return
    assert network is not None
    measured = measure_maps(network, predictor.card.recipe, own, explainer.mapped, Quiet())
    if asked.slow:
        measured |= slowly_measured(explainer, own)
    for name, values in measured.items():
        found.maps.setdefault(name, []).extend(values)
    if asked.slow:
        return
    if predictor.card.recipe.localise:
        found.boxes.append(told_boxes(predictor, own))
    right = is_right(before, pictures, predictor.card.classes)
    columns = image_columns(store, rows, [""] * len(store), ())
    found.probes += [(run.name, *line) for line in probed(explainer, pictures, columns, right)]
    found.sanity += [(run.name, *line) for line in checked(explainer, pictures)]


def slowly_measured(explainer: Explainer, marked: Pictures) -> dict[str, list[Measured]]:
    """Hold the maps of methods that answer an image many times against the boxes."""
    found: dict[str, list[Measured]] = {}
    for image, boxes in zip(marked.pixels, marked.boxes, strict=True):
        for name, own in explainer(image, SLOW).maps.items():
            found.setdefault(name, []).append(measure(own, boxes))
    return found


def probed(
    explainer: Explainer,
    pictures: Pictures,
    columns: Mapping[str, Sequence[str]],
    right: NDArray[np.bool_],
) -> list[tuple[object, ...]]:
    """Return what can be told from the embedding of a run."""
    predictor = explainer.predictor
    found = probe_embedding(lambda own: predictor.answers(own).embedding, pictures, columns, right)
    return [line(own) for own in found]


def checked(explainer: Explainer, pictures: Pictures) -> list[tuple[object, ...]]:
    """Return whether the maps of a run, by each method, may be believed."""
    some = pictures.some(np.arange(min(EXAMPLES, len(pictures))))
    lines: list[tuple[object, ...]] = []
    for method in explainer.mapped:
        assert explainer.network is not None
        own = check_maps(explainer.network, explainer.predictor, some, method)
        assert own is not None
        areas = (own.deletion, own.random_deletion, own.insertion, own.random_insertion)
        numbers = (f"{score.value:.4f}" for score in areas)
        lines.append((method, f"{own.likeness[-1]:.4f}", own.trusted, *numbers, own.images))
    return lines


def line(own: EmbeddingProbe) -> tuple[object, ...]:
    """Return a probe as cells."""
    with_, against = (
        ("", 0) if score is None else (f"{score.value:.4f}", score.n)
        for score in (own.right_with, own.right_against)
    )
    shares = (f"{own.accuracy:.4f}", f"{own.majority:.4f}")
    return (own.told, *shares, own.values, own.images, *with_, *against)


def cells(score: Score) -> tuple[str, ...]:
    """Return a score and the ends of its interval."""
    values = (score.value, score.low, score.high)
    return tuple("" if value is None else f"{value:.4f}" for value in values)


def named(*names: str) -> tuple[str, ...]:
    """Return the names of the columns of some scores."""
    return tuple(f"{name}{end}" for name in names for end in ("", "_low", "_high"))


def write_maps(asked: argparse.Namespace, found: Found) -> None:
    """Write how well each method's maps agree with the boxes."""
    rows: Table = []
    for own in score_maps(found.maps, Pictures.joined(found.marked)):
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


def write_reliance(asked: argparse.Namespace, found: Found) -> None:
    """Write how often answers change."""
    joined = {
        name: Shift(
            np.concatenate([own.other for own in several]),
            np.concatenate([own.fall for own in several]),
        )
        for name, several in found.shifts.items()
    }
    rows: Table = []
    for own in score_reliance(joined, Pictures.joined(found.seen), found.labels):
        scores = (own.changed, own.fall, *own.per_class.values())
        rows.append((own.change, own.changed.n, *(c for s in scores for c in cells(s))))
    header = ("change", "images", *named("answer_changes", "fall", *found.labels))
    write_csv(asked.save / f"reliance-{asked.name}.csv", header, rows)


def write_probes(asked: argparse.Namespace, found: Found) -> None:
    """Write what embeddings tell, and whether maps may be believed."""
    header = (
        *("run", "told", "accuracy", "majority", "values", "images"),
        *("right_with", "images_with", "right_against", "images_against"),
    )
    write_csv(asked.save / f"probes-{asked.name}.csv", header, found.probes)
    areas = ("run", "method", "likeness", "trusted", *AREAS, "images")
    write_csv(asked.save / f"sanity-{asked.name}.csv", areas, found.sanity)


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
