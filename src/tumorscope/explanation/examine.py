"""Where a model looks on the test images of a data set, and what it would answer without that."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscope.data.store import Store
from tumorscope.evaluation.breakdown import image_columns
from tumorscope.evaluation.mapping import MappedModel
from tumorscope.evaluation.model import ScoredModel
from tumorscope.explanation.agreement import measure_maps, score_maps
from tumorscope.explanation.boxes import score_boxes
from tumorscope.explanation.explain import Explainer, Explanation
from tumorscope.explanation.pictures import Pictures
from tumorscope.explanation.probes import CLASS, OF_BACKGROUND, probe_embedding
from tumorscope.explanation.reliance import (
    CHANGES,
    CHUNK,
    LESION_FILLED,
    answered,
    is_right,
    measure_reliance,
    score_reliance,
)
from tumorscope.explanation.sanity import check_maps
from tumorscope.inference.predict import Predictor
from tumorscope.records import Partition
from tumorscope.schema.explained import (
    EmbeddingProbe,
    Explained,
    Localisation,
    MapScores,
    Reliance,
    Sanity,
)
from tumorscope.schema.labels import healthy_class
from tumorscope.schema.wording import with_interval
from tumorscope.support.progress import Progress

MOST = 300  # test images that are looked at, so that it takes seconds
EXAMPLES = 16  # of them that the report shows
UNMOVED = 0.5  # share of changed answers below which a model is said not to need the lesion
MORE = 0.1  # by which a probe must pass the most frequent class to be worth a sentence


@dataclass(frozen=True)
class Examination:
    """What was found.

    Attributes:
        explained: in numbers.
        examples: some images with their map and boxes.
    """

    explained: Explained
    examples: tuple[tuple[Explanation, Pictures], ...]


def examine(
    explainer: Explainer,
    store: Store,
    partition: Partition,
    progress: Progress,
    *,
    most: int | None = MOST,
    mapped: MappedModel | None = None,
) -> Examination:
    """Look at a model on the test images of a data set.

    Args:
        explainer: of the model.
        store: the images at its size.
        partition: which rows are test images.
        progress: where to report.
        most: how many images at most; all where None.
        mapped: the model in the words of another set, where the images are of one.
    """
    rows = _drawn(partition.where("test"), most)
    pictures = pictures_of(store, partition, rows)
    predictor = explainer.predictor
    model: ScoredModel = mapped or predictor
    classes = model.card.classes
    steps = len(pictures) * len(CHANGES) + len(pictures.marked) * bool(explainer.network)
    with progress.task("looking where it looks", steps) as task:
        before = answered(model, pictures.pixels)
        shifts = measure_reliance(model, pictures, before, task)
        reliance = score_reliance(shifts, pictures, classes)
        maps: tuple[MapScores, ...] = ()
        sanity = None
        some = pictures.some(np.arange(min(EXAMPLES, len(pictures))))
        marked = pictures.some(pictures.marked)
        if explainer.network is not None:
            recipe = predictor.card.recipe
            if len(marked):
                found = measure_maps(explainer.network, recipe, marked, explainer.mapped, task)
                maps = score_maps(found, marked)
            sanity = check_maps(explainer.network, predictor, some, explainer.methods[0])
    columns = image_columns(store, rows, ["" for _ in range(len(store))], ())
    right = is_right(before, pictures, classes)
    probes = probe_embedding(
        lambda pixels: predictor.answers(pixels).embedding, pictures, columns, right
    )
    localisation = None
    if predictor.card.recipe.localise and len(marked):
        localisation = score_boxes(told_boxes(predictor, marked), marked)
    explained = Explained(
        images=len(pictures),
        warnings=tuple(_warnings(reliance, sanity, probes, classes)),
        sentences=tuple(_sentences(maps, localisation)),
        reliance=reliance,
        maps=maps,
        sanity=sanity,
        probes=probes,
        localisation=localisation,
    )
    examples = tuple(
        (explainer(image), pictures.some(np.array([n]))) for n, image in enumerate(some.pixels)
    )
    return Examination(explained, examples)


def _drawn(rows: NDArray[np.intp], most: int | None) -> NDArray[np.intp]:
    """Return some rows, drawn at random, the same each time."""
    drawn = np.random.default_rng(0).permutation(rows)
    return drawn if most is None else drawn[:most]


def pictures_of(store: Store, partition: Partition, rows: NDArray[np.intp]) -> Pictures:
    """Return some rows of a store, with what the data say of them."""
    listed = [store.manifest.rows[row] for row in rows]
    return Pictures(
        store.pixels(rows),
        np.array([row.label for row in listed]),
        np.array([partition.groups[row] for row in rows]),
        [row.boxes for row in listed],
    )


def told_boxes(predictor: Predictor, pictures: Pictures) -> NDArray[np.float32]:
    """Return the boxes that a model gives of some images, shape (n, 5)."""
    starts = range(0, len(pictures), CHUNK)
    return np.concatenate([predictor.answers(pictures.pixels[n : n + CHUNK]).boxes for n in starts])


def _warnings(
    reliance: tuple[Reliance, ...],
    sanity: Sanity | None,
    probes: tuple[EmbeddingProbe, ...],
    classes: tuple[str, ...],
) -> list[str]:
    """Say what makes the answers weaker than they look."""
    by_name = {own.change: own for own in reliance}
    said = _without_lesion(by_name.get(LESION_FILLED), classes)
    said += _from_background(probes)
    said += _against_pattern(probes)
    if sanity is not None and not sanity.trusted:
        said.append(
            f"The maps of {sanity.method} are untrustworthy here: with all weights drawn anew they "
            f"are still like those of the trained network (rank correlation "
            f"{sanity.likeness[-1]:.2f})."
        )
    if sanity is not None and (sanity.deletion.value or 0) >= (sanity.random_deletion.value or 0):
        said.append(
            f"The maps of {sanity.method} are not shown to find what matters: on {sanity.images} "
            "images, hiding first what they name lowered the probability of the answer no faster "
            "than random order."
        )
    return said


def _sentences(maps: tuple[MapScores, ...], localisation: Localisation | None) -> list[str]:
    """Say how well maps and boxes agree with the lesions."""
    said = []
    own = [one for one in maps if not one.reference]
    if own:
        best = max(own, key=lambda one: one.pointing.value or 0)
        blind = max((one.pointing.value or 0) for one in maps if one.reference)
        said.append(
            f"The highest place of {best.method} lies in the lesion's box on "
            f"{with_interval(best.pointing)} of {best.pointing.n} images, the best of {len(own)} "
            f"methods; that of the better reference map, an untrained network or a Gaussian in the "
            f"middle, on {blind:.1%}."
        )
    if localisation is not None:
        said.append(
            "The box that the model gives overlaps the true one by "
            f"{localisation.overlap.value:.2f} on average (IoU), and its centre lies in the true "
            f"one on {with_interval(localisation.pointing)} of the images."
        )
    return said


def _without_lesion(filled: Reliance | None, classes: tuple[str, ...]) -> list[str]:
    """Say of which classes the answer stays although the lesion is gone."""
    if filled is None:
        return []
    healthy = healthy_class(classes)
    stays = [
        f"{label} on {1 - score.value:.1%} of {score.n}"
        for number, (label, score) in enumerate(filled.per_class.items())
        if number != healthy and score.value is not None and (score.high or 1) < UNMOVED
    ]
    if not stays:
        return []
    return [
        "It mostly keeps its answer without the lesion: with the lesion filled from its surround, "
        f"the answer stays for {', '.join(stays)} images. Its answers for these classes do not "
        "depend on the lesion alone; some may be what it says by default."
    ]


def _from_background(probes: tuple[EmbeddingProbe, ...]) -> list[str]:
    """Say where what surrounds the head tells the class."""
    found = next((one for one in probes if one.told == OF_BACKGROUND), None)
    whole = next((one for one in probes if one.told == CLASS), None)
    if found is None or whole is None or found.accuracy < found.majority + MORE:
        return []
    return [
        "The class can be told without the head: what the network makes of images whose head is "
        f"black tells it on {found.accuracy:.1%} of {found.images}, where the most frequent class "
        f"would give {found.majority:.1%}. The outline of the head, which shows the plane, or "
        "something outside of it gives the class away."
    ]


def _against_pattern(probes: tuple[EmbeddingProbe, ...]) -> list[str]:
    """Say where the model is right less often because something beside the lesion misleads it."""
    return [
        f"It is right on {with_interval(own.right_with)} of the images whose {own.told} goes with "
        f"their class in this set, but on {with_interval(own.right_against)} of the "
        f"{own.right_against.n} others: it may go by that."
        for own in probes
        if own.right_with is not None
        and own.right_against is not None
        and (own.right_against.high or 1) < (own.right_with.low or 0)
    ]
