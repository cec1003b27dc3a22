"""Small pictures of slices, kept while they are answered, for whoever shows the answers."""

from dataclasses import dataclass, field
from io import BytesIO

import numpy as np
from PIL import Image

from tumorscope.records import Slice

SIDE = 112  # pixels, at most


@dataclass
class SmallPictures:
    """Keeps a PNG of each slice that it is shown.

    Attributes:
        found: the pictures, by the name of the series and the number of the slice.
    """

    found: dict[tuple[str, int], bytes] = field(default_factory=dict)

    def keep(self, series: str, number: int, own: Slice) -> None:
        """Keep a small picture of a slice."""
        picture = Image.fromarray(np.rint(own.pixels).astype(np.uint8))
        picture.thumbnail((SIDE, SIDE))
        content = BytesIO()
        picture.save(content, "PNG")
        self.found[series, number] = content.getvalue()
