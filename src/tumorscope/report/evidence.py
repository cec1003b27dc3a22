"""What a run knows of the items that two reporting guidelines ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from tumorscope.evaluation.summary import best_control_accuracy
from tumorscope.report.model_card import model_card
from tumorscope.schema.card import Card
from tumorscope.schema.recipe import Recipe
from tumorscope.schema.results import Results
from tumorscope.schema.wording import CONTROL_LABELS, of_first, with_interval
from tumorscope.support.files import write_text

EVIDENCE = files("tumorscope.report") / "evidence.yaml"
TO_SUPPLY = "To be supplied by the authors."


@dataclass(frozen=True)
class EvidenceRow:
    """One item of a guideline.

    Attributes:
        item: guideline and number.
        topic: what it asks for.
        answer: what the run knows, or that the authors must supply it.
    """

    item: str
    topic: str
    answer: str


def evidence_rows(
    results: Results, card: Card, environment: Mapping[str, Any]
) -> list[EvidenceRow]:
    """Return every item of CLAIM 2024 and TRIPOD+AI with what a run knows of it."""
    answers = _answers(results, card, environment)
    guidelines = yaml.safe_load(EVIDENCE.read_text(encoding="utf-8"))
    return [
        EvidenceRow(f"{guideline} {number}", topic, answers[key[0]] if key else TO_SUPPLY)
        for guideline, items in guidelines.items()
        for number, topic, *key in items
    ]


def write_documents(
    folder: Path, results: Results, card: Card, environment: Mapping[str, Any]
) -> None:
    """Write `model-card.md` and `evidence.md` into a folder."""
    write_text(folder / "model-card.md", model_card(results, card))
    lines = ["| item | asks for | this run |", "| --- | --- | --- |"]
    lines += [
        f"| {row.item} | {row.topic} | {row.answer.replace('|', '/')} |"
        for row in evidence_rows(results, card, environment)
    ]
    write_text(folder / "evidence.md", "# Evidence\n\n" + "\n".join(lines) + "\n")


def _stages(recipe: Recipe) -> str:
    stages = (
        f"{'+'.join(s.train)} for at most {s.epochs} epochs by {s.optimizer}" for s in recipe.stages
    )
    return f"Stages: {'; '.join(stages)}."


def _answers(results: Results, card: Card, environment: Mapping[str, Any]) -> dict[str, str]:
    recipe, origin, data = card.recipe, card.provenance, environment["data"]
    counts = results.images
    packages = ", ".join(f"{n} {v}" for n, v in environment["packages"].items() if v)
    images = f"{counts.train} training, {counts.validation} validation, {counts.test} test images"
    best = best_control_accuracy(results.all.controls)
    return {
        "method": f"{_networks(recipe)}, {recipe.backbone}, recipe {recipe.name}.",
        "intended_use": card.intended_use,
        "data": f"{origin.data}, {data['layout']}; digest {origin.data_digest}.",
        "left_out": f"{counts.left_out} files were left out because they cannot be read; "
        "nothing was imputed.",
        "preprocessing": f"Grey levels, resized to {card.preprocessing.image_size} px by an "
        "antialiasing triangle filter, normalised; the same in training and prediction.",
        "split": f"{results.split.note} Partition digest {origin.partition_digest}.",
        "disjoint": f"{results.all.groups} groups in the test part, of images that belong together "
        f"(patients where known, copies, series); {results.leaks} test images are not new.",
        "software": f"tumorscope {results.tumorscope}, Python {environment['python']}, {packages}.",
        "weights": origin.weights or "Drawn at random.",
        "training": f"{_stages(recipe)} Batches of {recipe.batch_size}, seed {recipe.seed}; the "
        "whole recipe is in recipe.yaml.",
        "chosen": f"Epoch {origin.kept_epoch}{of_first(recipe.members)}, by {recipe.keep} on the "
        "validation part.",
        "ensemble": _answered(recipe),
        "measures": "Accuracy, balanced accuracy, F1, AUROC, average precision, sensitivity, "
        "specificity, predictive values, kappa, MCC, Brier score, log loss, calibration error, "
        "coverage of conformal sets, area under the risk-coverage curve.",
        "uncertainty": "95 % intervals over groups (delete-one-group jackknife, Student's t); "
        "gains over controls by a paired bootstrap-t of groups.",
        "robustness": "Eight changes at five strengths: see the report."
        if results.robustness
        else "Not done: tumorscope evaluate RUN --robustness.",
        "internal": f"{with_interval(results.all.accuracy)} of {results.all.n} test images.",
        "external": results.split.note
        if results.split.method == "external"
        else "Not done: tumorscope evaluate RUN --data OTHER.",
        "flow": f"{images}; {counts.left_out} files left out.",
        "all_parts": "; ".join(
            f"{p}: {with_interval(s.accuracy)}" for p, s in results.parts.items()
        )
        + ".",
        "performance": f"Accuracy {with_interval(results.all.accuracy)}; "
        f"{CONTROL_LABELS[results.all.controls.best]} {with_interval(best)}; each class is in the "
        "report.",
        "failures": f"{len(results.subgroups)} subgroups, the surest mistakes and "
        f"{len(results.confused)} confused pairs of classes: see the report.",
        "limitations": " ".join(results.warnings) or "None found by tumorscope itself.",
        "availability": "bundle/ holds weights, graph and card; recipe.yaml and environment.json "
        "hold what is needed to train it again.",
        "predictors": "The pixels of one slice and nothing else.",
        "updating": f"Temperature {results.calibration.temperature:.2f}. "
        f"{results.calibration.note}",
        "prediction": "The class with the highest probability; sets "
        f"of labels at an error rate of {results.sets.error_rate:g}.",
        "imbalance": "Test images: "
        + ", ".join(f"{n} {s.support}" for n, s in results.all.per_class.items())
        + f". Class weights in the loss: {recipe.class_weights}.",
    }


def _answered(recipe: Recipe) -> str:
    """Say what is done to an image before it is answered, beyond what the bundle's card says."""
    said = [
        "Images are smoothed as interpolation smooths the training images." * recipe.smooth_answers,
        "Answers to each image and its mirror image are averaged." * recipe.flip_averaging,
        "The networks' probabilities are averaged." * (recipe.members > 1),
    ]
    return " ".join(filter(None, said)) or "None."


def _networks(recipe: Recipe) -> str:
    """Say how many networks there are."""
    if recipe.members == 1:
        return "A convolutional network"
    return f"{recipe.members} convolutional networks with different seeds"
