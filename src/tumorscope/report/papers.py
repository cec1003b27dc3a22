"""Papers about a model: a card in Hugging Face's form, and evidence for reporting guidelines."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from tumorscope.evaluation.headline import CONTROL_NAMES
from tumorscope.evaluation.summary import percent
from tumorscope.schema.card import Card
from tumorscope.schema.results import Results
from tumorscope.support.files import write_text

EVIDENCE = files("tumorscope") / "report" / "evidence.yaml"
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


def write_papers(
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


def _answers(results: Results, card: Card, environment: Mapping[str, Any]) -> dict[str, str]:
    recipe, origin, data = card.recipe, card.provenance, environment["data"]
    stages = [
        f"{'+'.join(s.train)} for at most {s.epochs} epochs by {s.optimizer}" for s in recipe.stages
    ]
    counts = results.images
    packages = ", ".join(f"{n} {v}" for n, v in environment["packages"].items() if v)
    images = f"{counts.train} training, {counts.validation} validation, {counts.test} test images"
    best = getattr(results.controls, results.controls.best)
    return {
        "method": f"A convolutional network, {recipe.backbone}, recipe {recipe.name}.",
        "intended_use": card.intended_use,
        "data": f"{origin.data}, {data['layout']}; digest {origin.data_digest}.",
        "left_out": f"{counts.left_out} files were left out because they cannot be read; "
        "nothing was imputed.",
        "preprocessing": f"Grey levels, resized to {card.preprocessing.image_size} px by an "
        "antialiasing triangle filter, normalised; the same in training and prediction.",
        "split": f"{results.split.note} Partition digest {origin.partition_digest}.",
        "disjoint": f"{results.groups} groups in the test part, of images that belong together "
        f"(patients where known, copies, series); {results.leaks} test images are not new.",
        "software": f"tumorscope {results.tumorscope}, Python {environment['python']}, {packages}.",
        "weights": origin.weights or "Drawn at random.",
        "training": f"Stages: {'; '.join(stages)}. Batches of "
        f"{recipe.batch_size}, seed {recipe.seed}; the whole recipe is in recipe.yaml.",
        "chosen": f"Epoch {origin.kept_epoch}, by {recipe.keep} on the validation part.",
        "ensemble": "Answers to each image and its mirror image are averaged."
        if recipe.flip_averaging
        else "None.",
        "measures": "Accuracy, balanced accuracy, F1, AUROC, average precision, sensitivity, "
        "specificity, predictive values, kappa, MCC, Brier score, log loss, calibration error, "
        "coverage of conformal sets, area under the risk-coverage curve.",
        "uncertainty": "95 % intervals over groups (delete-one-group jackknife, Student's t); "
        "gains over controls by a paired bootstrap-t of groups.",
        "robustness": "Eight changes at five strengths: see the report."
        if results.robustness
        else "Not done: tumorscope evaluate RUN --robustness.",
        "internal": f"{percent(results.accuracy)} of {results.n} test images.",
        "external": results.split.note
        if results.split.method == "external"
        else "Not done: tumorscope evaluate RUN --data OTHER.",
        "flow": f"{images}; {counts.left_out} files left out.",
        "all_parts": "; ".join(f"{p}: {percent(s.accuracy)}" for p, s in results.parts.items())
        + ".",
        "performance": f"Accuracy {percent(results.accuracy)}; "
        f"{CONTROL_NAMES[results.controls.best]} {percent(best)}; by class in the report.",
        "failures": f"{len(results.subgroups)} subgroups, the surest mistakes and "
        f"{len(results.confused)} confused pairs of classes: see the report.",
        "limitations": " ".join(results.warnings) or "None was found by the tool itself.",
        "availability": "bundle/ holds weights, graph and card; recipe.yaml and environment.json "
        "say how to train it again.",
        "predictors": "The pixels of one slice, and nothing else.",
        "updating": f"Temperature {results.calibration.temperature:.2f}. "
        f"{results.calibration.note}",
        "prediction": "The class of the largest of the probabilities that the network gives; sets "
        f"of labels at an error rate of {results.sets.error_rate:g}.",
        "imbalance": "Test images: "
        + ", ".join(f"{n} {s.support}" for n, s in results.per_class.items())
        + f". Class weights in the loss: {recipe.class_weights}.",
    }


def model_card(results: Results, card: Card) -> str:
    """Return a model card: Markdown, with the fields that Hugging Face reads at its top."""
    front = {
        "library_name": "tumorscope",
        "pipeline_tag": "image-classification",
        "tags": ["medical", "brain-mri", "research-only"],
        "datasets": [card.provenance.data],
        "metrics": ["accuracy", "roc_auc"],
        "model-index": [
            {
                "name": card.recipe.name,
                "results": [
                    {
                        "task": {"type": "image-classification"},
                        "dataset": {"name": card.provenance.data, "type": card.provenance.data},
                        "metrics": [
                            {"type": "accuracy", "value": results.accuracy.value},
                            {"type": "roc_auc", "value": results.macro_auroc.value},
                        ],
                    }
                ],
            }
        ],
    }
    classes = [
        f"| {name} | {s.support} | {percent(s.sensitivity)} | {percent(s.specificity)} |"
        for name, s in results.per_class.items()
    ]
    return "\n".join(
        [
            f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True).strip()}\n---\n",
            f"# {card.recipe.name} on {card.provenance.data}\n",
            f"{results.summary}\n",
            f"## Intended use\n\n{card.intended_use}\n",
            "## How it was evaluated\n",
            f"{results.split.note} {results.n} test images in {results.groups} groups. In brackets "
            "95 % intervals over groups.\n",
            *(f"- {sentence}" for sentence in results.warnings),
            "\n| class | test images | sensitivity | specificity |",
            "| --- | --- | --- | --- |",
            *classes,
            f"\n## How it was trained\n\n{card.recipe.summary} {card.provenance.images['train']} "
            f"images; epoch {card.provenance.kept_epoch} was kept; first weights: "
            f"{card.provenance.weights or 'drawn at random'}.\n",
            f"## Calibration\n\nTemperature {results.calibration.temperature:.2f}. "
            f"{results.calibration.note}\n",
            f"Made by tumorscope {results.tumorscope}. Research software, not a medical device.\n",
        ]
    )


def usage(card: Card) -> str:
    """Return the part of a bundle's README that says how to use it: Markdown."""
    size = card.preprocessing.image_size
    return "\n".join(
        [
            "## How to use it\n",
            "```\npip install tumorscope\ntumorscope predict bundle.zip slice.png\n```\n",
            "Elsewhere, `model.onnx` (or `model.xml` and `model.bin`) is the whole model:\n",
            "| name | type | meaning |",
            "| --- | --- | --- |",
            "| `slices` (input) | float32 (n, height, width) | grey levels from 0 to 255, any size "
            f"(resized in the graph to {size} × {size}) |",
            f"| `probabilities` | float32 (n, {len(card.classes)}) | of {', '.join(card.classes)}, "
            "temperature included |",
            f"| `embedding` | float32 (n, {card.embedding}) | what the network sees |",
            f"| `strangeness` | float32 (n,) | above {card.gate.limit:g}: no slice like those of "
            "training, do not use the answer |",
            "\nColour becomes grey by ITU-R 601: 0.299 red + 0.587 green + 0.114 blue. "
            "Thresholds of the sets of labels are in `card.json`, `calibration`.\n",
            f"Licence: {card.licence}\n",
        ]
    )
