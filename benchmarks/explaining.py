"""Maps: against a forward pass of the same images, and against captum's."""

from collections.abc import Iterator

import numpy as np
import torch
from captum.attr import LayerGradCam

from benchmarks.measure import DATA, Comparison, compare_all
from tumorscope.data.read import read_image
from tumorscope.data.resize import resize
from tumorscope.explanation.class_maps import class_maps
from tumorscope.model import Classifier, build_classifier
from tumorscope.schema.recipe import load_recipe

SIZE, IMAGES = 224, 16
LAYERS = {"mobilenetv2_100": "bn2", "resnet50": "layer4"}


def measure() -> Iterator[Comparison]:
    """Yield, for two networks, what maps of 16 images cost beside a pass and beside captum's."""
    files = sorted((DATA / "sartaj" / "Training").rglob("*.jpg"))[::50][:IMAGES]
    pixels = np.stack([resize(read_image(path).pixels, SIZE) for path in files])
    images, labels = (
        torch.from_numpy(pixels).float().unsqueeze(1),
        torch.zeros(IMAGES, dtype=torch.long),
    )
    for backbone, layer in LAYERS.items():
        recipe = load_recipe("resnet18", [f"backbone={backbone}", f"image_size={SIZE}"])
        blank = recipe.model_copy(update={"pretrained": False, "weights": None})
        model = build_classifier(blank, 4).eval()
        theirs = LayerGradCam(model, model.trunk.get_submodule(layer))

        def forward(model: Classifier = model) -> None:
            with torch.inference_mode():
                model(images)

        def captum(theirs: LayerGradCam = theirs) -> None:
            theirs.attribute(images, target=labels)

        def ours(model: Classifier = model) -> None:
            class_maps(model, images, labels, ("gradcam",))

        title = f"Grad-CAM of {IMAGES} images, {backbone}"
        yield from compare_all([(f"{title}, beside a forward pass", "≤ 4", ours)], forward)
        yield from compare_all([(f"{title}, beside captum", "", ours)], captum)
