"""Files to slices. Inputs are hostile until read: nothing here trusts a name or a header."""

from tumorscope.data.read.image import (
    decode_image,
    grey_levels,
    picture_levels,
    read_bytes,
    read_image,
)

__all__ = ["decode_image", "grey_levels", "picture_levels", "read_bytes", "read_image"]
