"""The model card in Hugging Face's form, and how to use a bundle."""

import yaml

from tumorscope.schema.card import Card
from tumorscope.schema.results import Results
from tumorscope.schema.wording import of_first, with_interval


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
                            {"type": "accuracy", "value": results.all.accuracy.value},
                            {"type": "roc_auc", "value": results.all.macro_auroc.value},
                        ],
                    }
                ],
            }
        ],
    }
    classes = [
        f"| {name} | {s.support} | {with_interval(s.sensitivity)} | "
        f"{with_interval(s.specificity)} |"
        for name, s in results.all.per_class.items()
    ]
    return "\n".join(
        [
            f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True).strip()}\n---\n",
            f"# {card.recipe.name} on {card.provenance.data}\n",
            f"{results.summary}\n",
            f"## Intended use\n\n{card.intended_use}\n",
            "## How it was evaluated\n",
            f"{results.split.note} {results.all.n} test images in {results.all.groups} groups. "
            "95 % intervals over groups are in brackets.\n",
            *(f"- {sentence}" for sentence in results.warnings),
            "\n| class | test images | sensitivity | specificity |",
            "| --- | --- | --- | --- |",
            *classes,
            f"\n## How it was trained\n\n{card.recipe.summary.rstrip('.')}. Trained on "
            f"{card.provenance.images['train']} images; epoch {card.provenance.kept_epoch}"
            f"{of_first(card.recipe.members)} was kept; first weights: "
            f"{card.provenance.weights or 'drawn at random'}.\n",
            f"## Calibration\n\nTemperature {results.calibration.temperature:.2f}. "
            f"{results.calibration.note}\n",
            f"Made with tumorscope {results.tumorscope}. Research software, not a medical device."
            "\n",
        ]
    )


def bundle_readme(results: Results, card: Card) -> bytes:
    """Return a bundle's README: its model card, and how to use it."""
    return f"{model_card(results, card)}\n{usage(card)}".encode(errors="backslashreplace")


def usage(card: Card) -> str:
    """Return the part of a bundle's README that says how to use it: Markdown."""
    size = card.preprocessing.image_size
    return "\n".join(
        [
            "## How to use it\n",
            "With tumorscope installed:\n\n```\ntumorscope predict bundle.zip slice.png\n```\n",
            "Elsewhere, `model.onnx` (or `model.xml` and `model.bin`) is the whole model:\n",
            "| name | type | meaning |",
            "| --- | --- | --- |",
            "| `slices` (input) | float32 (n, height, width) | grey levels from 0 to 255, any size "
            f"(resized in the graph to {size} × {size}) |",
            f"| `probabilities` | float32 (n, {len(card.classes)}) | of {', '.join(card.classes)}, "
            "temperature included |",
            f"| `embedding` | float32 (n, {card.embedding}) | the network's features |",
            f"| `strangeness` | float32 (n,) | above {card.gate.limit:g}: does not look like the "
            "training slices, do not use the answer |",
            "\nColour becomes grey by ITU-R 601: 0.299 red + 0.587 green + 0.114 blue. "
            "Thresholds of the sets of labels are in `card.json`, `calibration`.\n",
            f"Licence: {card.licence}\n",
            *_weights_licence(card),
        ]
    )


def _weights_licence(card: Card) -> list[str]:
    """Say under what licence the weights are that training started from."""
    origin = card.provenance
    if not origin.weights_licence:
        return []
    whence = f" ({origin.weights_source})" if origin.weights_source else ""
    return [f"It was trained from weights{whence} under this licence: {origin.weights_licence}.\n"]
