"""Make torchvision importable with a CPU build of PyTorch.

timm and torchmetrics import torchvision. The torchvision of the package index is built for CUDA;
with a CPU build of PyTorch its compiled part cannot load, and its import then fails on operators
which that part would have declared. Nothing here uses them: declaring their names is enough.
"""

import torch

BOX_OPERATORS = ("nms", "qnms")


def declare_missing_operators() -> None:
    """Declare torchvision's box operators in a CPU build of PyTorch; call before importing it."""
    if torch.version.cuda or torch.version.hip:
        return
    for name in BOX_OPERATORS:
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(
                f"torchvision::{name}",
                "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
            )
