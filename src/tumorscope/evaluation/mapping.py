"""A model's classes in the words of another data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscope.errors import UsageError
from tumorscope.evaluation.model import ScoredModel
from tumorscope.schema.card import Card, ModelCalibration
from tumorscope.schema.labels import canonical, same_class

TUMOURS = ("glioma", "meningioma", "pituitary")  # that a set may put together as "tumour"


@dataclass(frozen=True)
class ClassMap:
    """Which label of another set each class of a model stands for.

    Attributes:
        names: the classes that are scored: the set's labels that have a class, then the model's
            classes that have no label.
        columns: the place among these of each class of the model.
        pairs: class of the model and label of the set, for the reader.
    """

    names: tuple[str, ...]
    columns: tuple[int, ...]
    pairs: tuple[tuple[str, str], ...]

    @property
    def note(self) -> str:
        """The mapping as a sentence."""
        return "Classes: " + ", ".join(f"{own} as {label}" for own, label in self.pairs) + "."


def map_classes(
    classes: Sequence[str], labels: Sequence[str], given: Mapping[str, str] | None = None
) -> ClassMap:
    """Say which label of a set each class of a model stands for.

    Args:
        classes: of the model.
        labels: of the set.
        given: label by class, where names do not tell.

    Raises:
        UsageError: a name is unknown, or fewer than two labels have a class.
    """
    chosen = dict(given or {})
    for own, label in chosen.items():
        if own not in classes:
            raise UsageError(f"The model has no class '{own}'; its classes: {', '.join(classes)}.")
        if label not in labels:
            raise UsageError(f"The set has no class '{label}'; its classes: {', '.join(labels)}.")
    for own in classes:
        if own not in chosen and (named := _same(own, labels)):
            chosen[own] = named
    used = [label for label in labels if label in chosen.values()]
    if len(used) < 2:
        raise UsageError(
            f"Of the set's classes ({', '.join(labels)}) {len(used)} match the model's "
            f"({', '.join(classes)}): name the pairs with --classes MODEL=SET."
        )
    names = (*used, *(own for own in classes if own not in chosen))
    columns = tuple(names.index(chosen.get(own, own)) for own in classes)
    return ClassMap(names, columns, tuple((own, chosen[own]) for own in classes if own in chosen))


def _same(own: str, labels: Sequence[str]) -> str | None:
    """Return the label that names the same class, or a tumour where the class is one."""
    for label in labels:
        if same_class(label) == same_class(own):
            return label
    if canonical(own) in TUMOURS:
        return next((label for label in labels if canonical(label) == "tumor"), None)
    return None


class MappedModel:
    """A model that answers in the words of another set; probabilities of one label are added.

    Attributes:
        card: that of the model, with the mapping's classes.
    """

    def __init__(self, model: ScoredModel, mapping: ClassMap) -> None:
        """Put a mapping in front of a model.

        Args:
            model: what answers.
            mapping: of its classes.
        """
        self._model, self._mapping = model, mapping
        changes: dict[str, object] = {
            "classes": mapping.names,
            "canonical": tuple(map(canonical, mapping.names)),
            "calibration": _mapped_calibration(model.card.calibration, mapping),
        }
        self.card: Card = model.card.model_copy(update=changes)

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probability of each class of the mapping, float32, shape (n, classes)."""
        answers = self._model.probabilities(pixels)
        mapped = np.zeros((len(answers), len(self._mapping.names)), np.float32)
        for column, index in enumerate(self._mapping.columns):
            mapped[:, index] += answers[:, column]
        return mapped


def _mapped_calibration(calibration: ModelCalibration, mapping: ClassMap) -> ModelCalibration:
    """Return thresholds in the order of the mapping; none where classes were put together."""
    if len(set(mapping.columns)) < len(mapping.columns):
        return ModelCalibration(note="Not applicable: classes were merged.")
    order = [mapping.columns.index(n) for n in range(len(mapping.names))]
    thresholds, images = calibration.thresholds, calibration.images
    update = {
        "thresholds": tuple(thresholds[n] for n in order) if thresholds else (),
        "images": tuple(images[n] for n in order) if images else (),
    }
    return calibration.model_copy(update=update)
