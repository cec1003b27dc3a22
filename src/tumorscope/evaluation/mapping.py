"""A model's classes in the words of another data set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscope.errors import UsageError
from tumorscope.evaluation.model import ScoredModel
from tumorscope.schema.card import Card, ModelCalibration
from tumorscope.schema.labels import canonical, same_class

TUMOURS = ("glioma", "meningioma", "pituitary")  # that others may put together as "tumour"
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class ClassMap:
    """What a model's classes are in another set.

    Several classes of the model may be one label of the set, and one class several labels.

    Attributes:
        names: the classes that are scored: those of both, then the model's classes that the set
            does not have.
        of_model: the scored class of each class of the model, by name.
        of_set: the scored class of each label that the model knows, by label.
    """

    names: tuple[str, ...]
    of_model: Mapping[str, str]
    of_set: Mapping[str, str]

    @property
    def note(self) -> str:
        """The mapping as a sentence."""
        known = set(self.of_set.values())
        pairs = [
            f"{own} as {_listed(self.of_set, name)}"
            for own, name in self.of_model.items()
            if name in known
        ]
        return f"Classes: {', '.join(pairs)}."


def _listed(of_set: Mapping[str, str], name: str) -> str:
    """Return the labels that are a scored class."""
    return " or ".join(label for label, scored in of_set.items() if scored == name)


def map_classes(classes: Sequence[str], labels: Sequence[str], given: Pairs = ()) -> ClassMap:
    """Say which labels of a set each class of a model stands for.

    Args:
        classes: of the model.
        labels: of the set.
        given: class and label, where names do not tell; a class or a label may stand in several.

    Raises:
        UsageError: a name is unknown, a pair is given twice, pairs contradict each other, or fewer
            than two classes can be scored.
    """
    _check(classes, labels, given)
    pairs = list(given)
    named, used = {own for own, _ in given}, {label for _, label in given}
    for own in classes:
        if own not in named:
            pairs += [(own, label) for label in _same(own, labels) if label not in used]
    names = _scored_names(pairs)
    scored = list(dict.fromkeys(names[pair] for pair in sorted(pairs, key=_by_label(labels))))
    if len(scored) < 2:
        raise UsageError(
            f"{len(scored)} of the set's classes ({', '.join(labels)}) can be told from others by "
            f"the model ({', '.join(classes)}): name the pairs with --classes MODEL=SET."
        )
    of_model = {own: names[pair] for pair in pairs for own in pair[:1]}
    of_model = {own: of_model.get(own, own) for own in classes}
    of_set = {label: names[own, label] for own, label in pairs}
    others = [own for own in classes if of_model[own] not in scored]
    return ClassMap((*scored, *others), of_model, of_set)


def _by_label(labels: Sequence[str]) -> Callable[[tuple[str, str]], int]:
    return lambda pair: labels.index(pair[1])


def _check(classes: Sequence[str], labels: Sequence[str], given: Pairs) -> None:
    """Refuse pairs of unknown names, and pairs given twice."""
    for own, label in given:
        if own not in classes:
            raise UsageError(f"The model has no class '{own}'; its classes: {', '.join(classes)}.")
        if label not in labels:
            raise UsageError(f"The set has no class '{label}'; its classes: {', '.join(labels)}.")
        if list(given).count((own, label)) > 1:
            raise UsageError(f"--classes {own}={label} is given twice: give it once.")


def _scored_names(pairs: Pairs) -> dict[tuple[str, str], str]:
    """Return the name under which each pair is scored: the label, or the class of several labels.

    Raises:
        UsageError: a class of several labels shares one of them with another class.
    """
    names = {}
    for own, label in pairs:
        labels = [other for name, other in pairs if name == own]
        owners = {name for name, other in pairs if other in labels}
        if len(labels) > 1 and len(owners) > 1:
            raise UsageError(
                f"--classes gives {' and '.join(sorted(owners))} a label in common and "
                f"{own} another: let either one class have several labels or one label several "
                "classes."
            )
        names[own, label] = label if len(labels) == 1 else own
    return names


def _same(own: str, labels: Sequence[str]) -> list[str]:
    """Return the label that names the same class, or what is put together as a tumour."""
    same = [label for label in labels if same_class(label) == same_class(own)]
    if same:
        return same[:1]
    if canonical(own) in TUMOURS:
        return [label for label in labels if canonical(label) == "tumor"][:1]
    if canonical(own) == "tumor":
        return [label for label in labels if canonical(label) in TUMOURS]
    return []


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
        for column, name in enumerate(self._mapping.of_model.values()):
            mapped[:, self._mapping.names.index(name)] += answers[:, column]
        return mapped


def _mapped_calibration(calibration: ModelCalibration, mapping: ClassMap) -> ModelCalibration:
    """Return thresholds in the order of the mapping; none where classes are put together."""
    scored, labels = list(mapping.of_model.values()), list(mapping.of_set.values())
    if len(set(scored)) < len(scored) or len(set(labels)) < len(labels):
        return ModelCalibration(note="Not applicable: classes were merged.")
    order = [scored.index(name) for name in mapping.names]
    thresholds, images = calibration.thresholds, calibration.images
    update = {
        "thresholds": tuple(thresholds[n] for n in order) if thresholds else (),
        "images": tuple(images[n] for n in order) if images else (),
    }
    return calibration.model_copy(update=update)
