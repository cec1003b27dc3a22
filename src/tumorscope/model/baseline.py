"""A small convolutional network to train from scratch."""

from torch import Tensor, nn

WIDTHS = (32, 64, 128, 256)
HIDDEN = 128
POOLED = 4  # the side of the last feature maps
DROPOUT = 0.1  # of whole channels, after each block


class BaselineCNN(nn.Module):
    """Four blocks of convolution, batch norm, ReLU, pooling and dropout, and a dense layer.

    Attributes:
        num_features: how many features it returns.
        feature_info: where its blocks are, as timm's networks say it.
    """

    num_features = HIDDEN

    def __init__(self) -> None:
        super().__init__()
        inputs = (3, *WIDTHS[:-1])
        self.blocks = nn.Sequential(*map(_block, inputs, WIDTHS))
        self.pool = nn.AdaptiveAvgPool2d(POOLED)
        self.dense = nn.Sequential(
            nn.Flatten(), nn.Linear(WIDTHS[-1] * POOLED**2, HIDDEN), nn.ReLU()
        )
        self.feature_info = [{"module": f"blocks.{n}"} for n in range(len(WIDTHS))]
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, pixels: Tensor) -> Tensor:
        """Return features, float, shape (n, HIDDEN), of (n, 3, height, width)."""
        features: Tensor = self.dense(self.pool(self.blocks(pixels)))
        return features


def _block(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Dropout2d(DROPOUT),
    )
