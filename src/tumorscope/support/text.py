"""Counts as sentences have them."""


def plural(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun.

    >>> plural(1, "image"), plural(3, "image")
    ('1 image', '3 images')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
