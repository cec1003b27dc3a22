"""The portable model: weights (safetensors), graph (ONNX) and a card that says what they are."""

import hashlib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tumorscope.errors import BundleError
from tumorscope.files import write_bytes, write_text
from tumorscope.recipe import Normalize, Recipe

FORMAT: Literal[1] = 1
CARD, WEIGHTS, GRAPH = "card.json", "weights.safetensors", "model.onnx"
INTENDED_USE = (
    "Research on the classification of brain MRI slices. Not a medical device: "
    "not for diagnosis, treatment or any decision about a patient."
)


class Strict(BaseModel):
    """A frozen part of a card that knows its fields and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Preprocessing(Strict):
    """What happens to a decoded grey slice before the network.

    Attributes:
        image_size: the side of the square it is resized to, in pixels.
        resize: how: an antialiasing triangle filter, rounded to whole grey levels.
        normalize: mean and standard deviation a channel; part of the graph.
    """

    image_size: Annotated[int, Field(ge=1)]
    resize: Literal["triangle, rounded"] = "triangle, rounded"
    normalize: Normalize


class Provenance(Strict):
    """Where a model comes from.

    Attributes:
        tumorscope: the version that trained it.
        data: the name of the data set's folder or table.
        data_digest: SHA-256 over paths, labels, splits, patients and contents.
        partition_digest: SHA-256 over which image went where.
        images: how many images each part had.
        kept_epoch: the epoch whose weights these are.
        weights: what training started from; None from scratch.
        created: when, ISO 8601, UTC.
    """

    tumorscope: str
    data: str
    data_digest: str
    partition_digest: str
    images: dict[str, int]
    kept_epoch: int
    weights: str | None = None
    created: str


class Calibrated(Strict):
    """What validation images taught about how sure the model may be.

    Attributes:
        temperature: what the logarithms of the probabilities are divided by; part of the graph.
        note: how it was found, or why it is 1.
        error_rate: how often a conformal set may miss.
        thresholds: the probability from which on each class is in an image's set; None for a class
            with too few validation images. Empty where there are none at all.
        images: validation images of each class.
    """

    temperature: Annotated[float, Field(gt=0)] = 1.0
    note: str = "This model was not calibrated."
    error_rate: Annotated[float, Field(gt=0, lt=1)] = 0.1
    thresholds: tuple[float | None, ...] = ()
    images: tuple[int, ...] = ()


class Card(Strict):
    """Everything one must know to use a model.

    Attributes:
        format: the version of this schema.
        classes: class names as the user wrote them, in the order of the outputs.
        canonical: the canonical class of each, None where it is not known.
        preprocessing: what happens before the network.
        recipe: how it was trained.
        calibration: how sure it may be.
        provenance: where it comes from.
        files: SHA-256 of each other file of the bundle.
        intended_use: what it is for, and what not.
    """

    format: Literal[1] = FORMAT
    classes: Annotated[tuple[str, ...], Field(min_length=2)]
    canonical: tuple[str | None, ...]
    preprocessing: Preprocessing
    recipe: Recipe
    calibration: Calibrated = Calibrated()
    provenance: Provenance
    files: dict[str, str]
    intended_use: str = INTENDED_USE


class Bundle:
    """A bundle whose files have been found to be what its card says.

    Attributes:
        folder: where it lies.
        card: what it is.
    """

    def __init__(self, folder: Path, card: Card) -> None:
        self.folder = folder
        self.card = card

    def read(self, name: str) -> bytes:
        """Return the content of one of its files, checked against the card's digest.

        Raises:
            BundleError: the file is missing or not the one the card was written for.
        """
        path = self.folder / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise BundleError(
                f"{path} is missing from the bundle: train or export again."
            ) from error
        if hashlib.sha256(content).hexdigest() != self.card.files.get(name):
            raise BundleError(
                f"{path} is not the file that {CARD} describes (its digest differs): "
                "it was damaged or replaced; take a fresh copy of the bundle."
            )
        return content


def write_bundle(folder: Path, card: Card, contents: dict[str, bytes]) -> None:
    """Write a bundle; the card, which makes it one, comes last."""
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        write_bytes(folder / name, content)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    complete = card.model_copy(update={"files": digests})
    write_text(folder / CARD, complete.model_dump_json(indent=2) + "\n")


def open_bundle(place: str | Path) -> Bundle:
    """Open a bundle, or the bundle of a run.

    Raises:
        BundleError: there is none, or its card is not of a known format.
    """
    top = Path(place)
    folder = top / "bundle" if (top / "bundle" / CARD).is_file() else top
    path = folder / CARD
    if not path.is_file():
        raise BundleError(
            f"{top} is no bundle: give a run folder of 'tumorscope train' or its bundle/ folder."
        )
    try:
        card = Card.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise BundleError(
            f"{path} is no card of format {FORMAT}{_first_problem(error)}: "
            "it was damaged, or written by another version of tumorscope."
        ) from error
    if len(card.canonical) != len(card.classes) or len(set(card.classes)) != len(card.classes):
        raise BundleError(f"{path} does not name each class once: take a fresh copy.")
    if len(card.calibration.thresholds) not in (0, len(card.classes)):
        raise BundleError(f"{path} does not have a threshold a class: take a fresh copy.")
    return Bundle(folder, card)


def _first_problem(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return ""
    first = error.errors()[0]
    place = ".".join(str(step) for step in first["loc"]) or "the file"
    return f" ({place}: {first['msg']})"
