"""Class names as people write them, and the canonical names they stand for."""

import re

CANONICAL: dict[str, str] = {
    **dict.fromkeys(["glioma", "gliomas", "gliomatumor", "gliomatumour"], "glioma"),
    **dict.fromkeys(
        ["meningioma", "meningiomas", "meningiomatumor", "meningiomatumour"], "meningioma"
    ),
    **dict.fromkeys(
        [
            "pituitary",
            "pituitarytumor",
            "pituitarytumour",
            "pituitaryadenoma",
            "pituitarymacroadenoma",
        ],
        "pituitary",
    ),
    **dict.fromkeys(
        [
            *("no", "none", "normal", "healthy", "negative", "notumor", "notumour"),
            *("nontumor", "nontumour", "notumorous", "withouttumor", "withouttumour"),
        ],
        "no_tumor",
    ),
    **dict.fromkeys(
        ["yes", "tumor", "tumour", "positive", "abnormal", "withtumor", "withtumour"], "tumor"
    ),
}


def squeeze(name: str) -> str:
    """Return a class name without case, spaces and punctuation."""
    return re.sub(r"[\W_]+", "", name).casefold()


def canonical(name: str) -> str | None:
    """Return the canonical class that a name stands for, None where it is not known.

    >>> canonical("glioma_tumor"), canonical("No Tumor"), canonical("lymphoma")
    ('glioma', 'no_tumor', None)
    """
    return CANONICAL.get(squeeze(name))


def same_class(name: str) -> str:
    """Return a key that is equal for two spellings of one class."""
    return canonical(name) or squeeze(name)
