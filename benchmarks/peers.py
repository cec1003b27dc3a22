"""What ours is measured against: training as the field's notebooks write it, and fastai."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from tumorscope.model.torchvision import declare_missing_operators

declare_missing_operators()

from torchvision import datasets, models, transforms  # noqa: E402

MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
BATCH, WORKERS, GPU_WORKERS = 32, 2, 8

AUGMENTATION: Sequence[nn.Module] = (  # that of our `resnet18`
    transforms.RandomRotation(25),
    transforms.RandomHorizontalFlip(),
    transforms.RandomVerticalFlip(),
)


def image_folder(folder: Path, size: int, augmentation: Sequence[nn.Module] = ()) -> Any:
    """Return the folder as torchvision reads it."""
    steps = [
        transforms.Resize((size, size)),
        *augmentation,
        transforms.ToTensor(),
        transforms.Normalize(MEAN, DEVIATION),
    ]
    return datasets.ImageFolder(str(folder), transforms.Compose(steps))


def loader(images: Dataset[Any], workers: int = WORKERS) -> DataLoader[Any]:
    """Return a loader as the notebooks make one."""
    return DataLoader(images, batch_size=BATCH, shuffle=True, num_workers=workers)


def plain_loop(
    folder: Path,
    backbone: str,
    learning: Sequence[str],
    *,
    size: int,
    epochs: int,
    augmentation: Sequence[nn.Module] = AUGMENTATION,
    device: str = "cpu",
) -> nn.Module:
    """Train a torchvision network in an eager loop with Adam and return it.

    Args:
        folder: of class folders.
        backbone: a function of `torchvision.models`.
        learning: names of the modules that learn; all of them where empty.
        size: of the images, in pixels.
        epochs: how many.
        augmentation: what is done to the images before they are tensors.
        device: where it trains; to a GPU more processes bring images.
    """
    images = image_folder(folder, size, augmentation)
    model: nn.Module = getattr(models, backbone)(num_classes=len(images.classes)).to(device)
    if learning:
        model.requires_grad_(False)
        for name in learning:
            model.get_submodule(name).requires_grad_(True)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    batches = loader(images, WORKERS if device == "cpu" else GPU_WORKERS)
    model.train()
    for _ in range(epochs):
        for pixels, labels in batches:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(pixels.to(device)), labels.to(device))
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return model


def fastai_learner(folder: Path, *, size: int, epochs: int) -> None:
    """Train ResNet-18 from scratch with fastai's `vision_learner`, all layers."""
    from fastai.vision.all import (  # noqa: PLC0415 (for benchmarks alone)
        ImageDataLoaders,
        Resize,
        aug_transforms,
        resnet18,
        vision_learner,
    )

    turns = aug_transforms(
        flip_vert=True, max_rotate=25, max_zoom=1, max_lighting=0, max_warp=0, size=size
    )
    images = ImageDataLoaders.from_folder(
        folder,
        valid_pct=0.02,
        bs=BATCH,
        num_workers=WORKERS,
        item_tfms=Resize(size, method="squish"),
        batch_tfms=turns,
        device=torch.device("cpu"),
    )
    learner = vision_learner(images, resnet18, pretrained=False, train_bn=True)
    learner.unfreeze()
    with learner.no_bar(), learner.no_logging():
        learner.fit(epochs, 1e-3)
