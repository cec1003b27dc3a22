"""Class names as people write them, and the canonical names they stand for."""

import re
import unicodedata
from collections.abc import Sequence

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
            *(
                "no",
                "none",
                "normal",
                "healthy",
                "negative",
                "notumor",
                "notumour",
                "notumors",
                "notumours",
            ),
            *("nontumor", "nontumour", "notumorous", "withouttumor", "withouttumour"),
        ],
        "no_tumor",
    ),
    **dict.fromkeys(
        ["yes", "tumor", "tumour", "positive", "abnormal", "withtumor", "withtumour"], "tumor"
    ),
}


_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")
# Separators between two digits count, as in "1-2", and so do the signs of a comparison.
_SEPARATORS = re.compile(r"(?<!\d)([^\w.+<>≤≥]+|_+)|([^\w.+<>≤≥]+|_+)(?!\d)|(?<!\d)\.|\.(?!\d)")
_SIGNED = re.compile(r"([+-]?)(.*?)([+-]*)", re.DOTALL)
_TUMOUR = re.compile(r"(?<=.)tumou?rs?$")


def squeeze(name: str) -> str:
    """Return a name without case, spaces and punctuation, in one Unicode form."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFC", name)).casefold()


def canonical(name: str) -> str | None:
    """Return the canonical class that a name stands for, None where it is not known.

    >>> canonical("glioma_tumor"), canonical("No Tumor"), canonical("lymphoma")
    ('glioma', 'no_tumor', None)
    """
    signed = name.strip()[:1] in "+-" or name.strip()[-1:] in "+-"
    return None if signed else CANONICAL.get(squeeze(name))


def healthy_class(names: Sequence[str]) -> int | None:
    """Return the number of the class that stands for no tumour, None where there is none.

    >>> healthy_class(["glioma", "No Tumor"]), healthy_class(["glioma", "meningioma"])
    (1, None)
    """
    return next((n for n, name in enumerate(names) if canonical(name) == "no_tumor"), None)


def same_class(name: str) -> str:
    """Return a key that is equal for two spellings of one class.

    Case, spaces, dashes, underscores, the form of accents and a "tumor" at the end do not count;
    signs at an end, digits and the point between them do.

    >>> same_class("Glioma tumor") == same_class("glioma"), same_class("1.0") == same_class("1")
    (True, True)
    >>> same_class("IDH+") == same_class("IDH-"), same_class("Grade 1.0") == same_class("Grade 10")
    (False, False)
    """
    text = unicodedata.normalize("NFC", name).strip().casefold()
    known = canonical(text)
    if known is not None:
        return known
    if _NUMBER.fullmatch(text):
        whole, _, rest = text.partition(".")
        return text if rest.strip("0") else whole
    match = _SIGNED.fullmatch(text)
    before, middle, after = match.groups() if match else ("", text, "")
    return before + _TUMOUR.sub("", _SEPARATORS.sub("", middle)) + after
